"""Benchmarks: every figure beside its anchor, in one run, each cell in a fresh process.

`python -m tests.bench all` prints the table of `docs/performance.md`. A bench is data (`model`):
its cells are functions that `child` runs alone, its figures are computed from one round of cells.
"""
