"""The fault simulator: whole histories of a house, its hub and its people, on a clock of ours.

Start at `history.py`; `python -m tests.faults --help` runs many of them.
"""
