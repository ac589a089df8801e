"""What windsock costs, measured beside its peers. Run it with `python -m benchmarks`."""
