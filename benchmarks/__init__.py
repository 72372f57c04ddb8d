"""Benchmarks: what this project's code gains over the reference recipe, as ratios measured in one run.

`python -m benchmarks` runs the parts; each is a module with `run(device, quick)`. No number here is a test: a
machine decides it.
"""
