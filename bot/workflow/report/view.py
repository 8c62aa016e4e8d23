"""What a picture is drawn from: the row, its journal, and a few values that change with neither.

There is no clock in here. A text that depended on "now" would differ at every look, and an
equal text is how the painter knows that there is nothing to edit.
"""

from dataclasses import dataclass, field

from bot.config.repo import RepoConfig
from bot.domain import JournalLine, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where links lead; no slash at the end."""

    hub: str = "https://github.com"  #: the hub's pages
    task_page: str = ""  #: this task's page with us; empty: people cannot reach it

    def repository(self, task: Task) -> str:
        """The repository's page; empty for a local run."""
        return f"{self.hub}/{task.repo.full_name}" if task.repo is not None else ""

    def pull(self, task: Task) -> str:
        return f"{self.repository(task)}/pull/{task.facts.pull}"

    def commit(self, task: Task, sha: str) -> str:
        return f"{self.repository(task)}/commit/{sha}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """Seconds that are left, as often (p50) and nearly always (p90) before; from our history."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the pictures of one task may show."""

    task: Task
    journal: tuple[JournalLine, ...] = ()
    config: RepoConfig = field(default_factory=RepoConfig)  #: effective, at the base SHA
    links: Links = field(default_factory=Links)
    position: int | None = None  #: place in the queue, from 1
    limit: int = 0  #: of the repository's running tasks, where it is reached
    held: str = ""  #: who holds the repository's starts, and why; foreign text
    eta: Eta | None = None  #: None without history
    answers: tuple[str, ...] = ()  #: to the latest commands, made by `answers`
    notes: tuple[str, ...] = ()  #: about the configuration
    hmac_key: bytes = field(default=b"", repr=False)

    @property
    def budget_usd(self) -> float:
        """What this task may spend: as a person raised it, else as configured."""
        given = self.task.budget_usd
        return given if given is not None else self.config.limits.cost_usd
