"""How many tasks ended on each of the last days, and how."""

from datetime import UTC, datetime, timedelta

from bot.domain import Status
from bot.tasks.base import Group
from bot.tasks.store import Tx

_ENDED = """
SELECT status, count(*) AS n FROM task WHERE finished_at >= :since AND finished_at < :until
GROUP BY status
"""


class Days(Group):
    async def ended_by_day(self, days: int) -> dict[tuple[str, Status], int]:
        """Tasks by the day (UTC, `2026-03-01`) on which they ended and by how, today included."""
        today = datetime.fromtimestamp(self._now(), UTC).replace(
            hour=0, minute=0, second=0, microsecond=0
        )

        def work(tx: Tx) -> dict[tuple[str, Status], int]:
            found: dict[tuple[str, Status], int] = {}
            for back in range(days):
                day = today - timedelta(days=back)
                span = {"since": day.timestamp(), "until": (day + timedelta(days=1)).timestamp()}
                for row in tx.all(_ENDED, span):
                    found[day.date().isoformat(), Status(row["status"])] = row["n"]
            return found

        return await self._store.read(work)
