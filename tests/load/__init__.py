"""Load on a real `chimera serve`: bursts, floods, repeats, large bodies, slow clients, long queues.

`python -m tests.load` puts on the whole of it; `test_load.py` a smaller one. Start at `doors.py`.
"""
