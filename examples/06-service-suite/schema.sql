CREATE TABLE orders (
    id serial PRIMARY KEY,
    what text NOT NULL,
    amount integer NOT NULL CHECK (amount > 0)
);
