"""One small suite, twice: its stacks are made by pypod, and by testcontainers-python. `benchmarks.rows.suite` runs both."""
