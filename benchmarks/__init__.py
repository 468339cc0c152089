"""How fast pypod is, beside what people use instead of it. ``python -m benchmarks --help``; ``tox -e bench`` does it all."""
