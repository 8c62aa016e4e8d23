"""The queue: what was promised, kept on disk, and the loops that keep the promises.

`sqlite.SqliteStore` is the driver and `schema` its migrations; `queue.TaskQueue` is the one door
to tasks and deliveries (its method groups have a file each: `inbox`, `submissions`, `claims`,
`steps`, `pictures`, `views`, `statistics`); `ledger.Ledger` holds the rows of outward effects,
`lasting.Lasting` what else has to survive a restart; `pool.ExecutorPool` and
`daemon.ChimeraDaemon` run things. This room knows nothing of GitHub and nothing of agents.
Start with `queue.py`.
"""
