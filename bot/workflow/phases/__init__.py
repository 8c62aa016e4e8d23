"""What each phase does: one function a phase, and `table.PHASES` that names them.

A phase takes the task and its context, looks at what is already there, does at most one turn of
an agent or one wait's worth of work, and returns a `StepResult`. It never writes to the store.
"""
