"""Measures this stack against its peers: ``python -m benchmarks NAME [--json] [--plot FILE.svg] [--rounds N]``."""
