"""Input as it really comes, and as it comes from somebody who means ill: never a 500, never a loss.

Start at `mutate.py`. `FUZZ=all pytest tests/fuzz` tries as much as was ever promised.
"""
