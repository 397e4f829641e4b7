"""Benchmarks: CPU and wall time of what Gitu does often, side by side with the alternatives."""
