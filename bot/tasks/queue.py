"""TaskQueue: the one door to tasks and deliveries. Every public method is one transaction.

A claim has a fence, which grows with every claim, and a lease, which a heartbeat renews; every
write of a step names the fence that it holds. A task that waits is a row with a key and a time,
not a coroutine. The method groups have a file each, with the SQL of their subject.
"""

from bot.tasks.backlog import Backlogs
from bot.tasks.base import Bells, Clock, Limits
from bot.tasks.claims import Claims
from bot.tasks.days import Days
from bot.tasks.inbox import Inbox
from bot.tasks.pictures import Pictures
from bot.tasks.statistics import Statistics
from bot.tasks.steps import Steps
from bot.tasks.store import Store
from bot.tasks.submissions import Submissions
from bot.tasks.views import Views


class TaskQueue(Inbox, Submissions, Claims, Steps, Pictures, Views, Statistics, Backlogs, Days):
    """Tasks and deliveries in a store. `now` is Unix seconds and the only clock in use."""

    def __init__(
        self,
        store: Store,
        now: Clock,
        *,
        lease_s: float = 60.0,
        lane_limit: int = 2,
        settle_s: float = 10.0,
        bells: Bells | None = None,
    ) -> None:
        limits = Limits(lease_s=lease_s, lane_limit=lane_limit, settle_s=settle_s)
        super().__init__(store, now, bells or Bells(), limits)
