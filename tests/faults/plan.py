"""What goes wrong in a history: drawn by seed, or made by a test."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain import Role
from tests.faults.cast import Mood
from tests.faults.meddling import Act, Meddling
from tests.faults.points import Stop
from tests.faults.runs import Fate
from tests.faults.weather import Kind, Storm
from tests.faults.wire import API_TROUBLES, GIT_TROUBLES, OTHER_TROUBLES, Trouble

POINTS_OF_A_TASK = 205  #: crash points that a task passes when nothing goes wrong

#: Where trouble strikes, as regular expressions on "METHOD path".
PLACES = (
    "",
    "^GET ",
    "^GET .*/permission$",
    "^GET .*/events$",
    "^POST .*/access_tokens$",
    r"^POST .*/issues/\d+/comments$",
    "^PATCH .*/comments/",
    "^PUT .*/pin$",
    "^POST .*/reactions$",
    "^DELETE .*/reactions/",
    "^POST .*/labels$",
    "^DELETE .*/labels/",
    "^POST .*/check-runs$",
    "^PATCH .*/check-runs/",
    "^POST .*/pulls$",
    "^POST .*/reviews$",
    "^POST /graphql$",
    "^POST .*/dispatches$",
    "^PUT .*/merge$",
    r"^PATCH .*/issues/\d+$",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One history, before it is lived through."""

    seed: int
    issues: int = 1
    troubles: Sequence[Trouble] = ()
    stops: Sequence[Stop] = ()
    moods: Mapping[Role, Sequence[Mood]] = field(default_factory=dict)
    fates: Sequence[Fate] = ()
    drop: float = 0.0  #: chance that a delivery is lost
    deaf_s: float = 0.0  #: from the start, every delivery is lost for so long
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_s: float = 0.0  #: mean delay of a delivery
    replay: float = 0.0  #: chance, every two minutes, of an old delivery under a new GUID
    garble: float = 0.0  #: chance that such an old one has something wrong in it
    lag_s: float = 0.0  #: reads of the hub lag behind its writes
    storms: Sequence[Storm] = ()
    meddling: Meddling | None = None
    replicas: int = 1  #: processes on one store from the start on
    patience_s: float = 0.0  #: for so long a person lets an approval wait
    automatic: bool = False  #: nobody is asked before production


def drawn(seed: int) -> Plan:
    """A plan by seed: most of what can go wrong is rare, and some of it comes together."""
    dice = random.Random(seed)
    issues = dice.choice((1, 1, 1, 1, 2, 3))
    return Plan(
        seed=seed,
        issues=issues,
        troubles=_troubles(dice),
        stops=_stops(dice, issues),
        moods=_moods(dice),
        fates=_fates(dice),
        drop=dice.choice((0.0, 0.0, 0.0, 0.2)),
        deaf_s=dice.choice((0.0,) * 11 + (3600.0,)),
        duplicate=dice.choice((0.0, 0.0, 0.3)),
        reorder=dice.choice((0.0, 0.0, 0.3)),
        delay_s=dice.choice((0.0, 0.0, 1.0, 20.0) * 4 + (7200.0,)),
        replay=dice.choice((0.0, 0.0, 0.3)),
        garble=dice.choice((0.0, 0.5)),
        lag_s=dice.choice((0.0, 0.0, 2.0, 15.0)),
        storms=_storms(dice),
        meddling=_meddling(dice),
        replicas=dice.choice((1,) * 7 + (2,)),
        patience_s=dice.choice((0.0,) * 24 + (28_800.0,)),
        automatic=dice.random() < 0.1,
    )


def _troubles(dice: random.Random) -> list[Trouble]:
    kinds = (*API_TROUBLES, *OTHER_TROUBLES, *GIT_TROUBLES)
    found = []
    for _ in range(dice.choice((0, 1, 1, 2, 3, 5))):
        kind = dice.choice(kinds)
        git = kind.split(" ")[0] if kind in GIT_TROUBLES else ""
        place = dice.choice(PLACES)
        nth = dice.randint(1, 40) if place in ("", "^GET ") else dice.choice((1, 1, 2, 3))
        times = 1 if kind.startswith(("403 primary", "403 not")) else dice.choice((1, 1, 1, 2))
        found.append(Trouble(kind=kind, where=git or place, nth=nth if not git else 1, times=times))
    return found


def _stops(dice: random.Random, issues: int) -> list[Stop]:
    number = dice.choice((0, 0, 1, 1, 2, 5))
    poison = dice.choice(("E2E_TEST_GENERATION", "PRODUCTION_DEPLOYMENT"))
    found = [Stop(place=f"after_claim {poison}", times=5)] if dice.random() < 0.04 else []
    return found + [
        Stop(
            at=dice.randint(1, POINTS_OF_A_TASK * issues),
            freeze_s=dice.choice((0.0, 0.0, 0.0, 150.0)),
            hold_s=dice.choice((0.0, 0.0, 0.0, 100.0)),
            terms=dice.random() < 0.15,
            down_s=dice.choice((1.0, 5.0, 90.0, 1200.0)),
            new_disk=dice.random() < 0.2,
        )
        for _ in range(number)
    ]


def _storms(dice: random.Random) -> list[Storm]:
    if dice.random() > 0.15:
        return []
    return [Storm(kind=dice.choice(list(Kind)), at_s=dice.uniform(0.0, 900.0))]


def _meddling(dice: random.Random) -> Meddling | None:
    if dice.random() > 0.12:
        return None
    act = dice.choice(list(Act))
    return Meddling(act=act, at_s=dice.uniform(6.0, 40.0 if act is Act.EDITED else 700.0))


def _moods(dice: random.Random) -> dict[Role, list[Mood]]:
    """Rarely a bad run; what a role cannot do wrong is not drawn for it."""
    found: dict[Role, list[Mood]] = {}
    for role in Role:
        cannot = Mood.WRONG if role is Role.DEPLOYMENT else Mood.ADVISES_AGAINST
        bad = [mood for mood in Mood if mood is not cannot]
        if dice.random() < 0.15:
            found[role] = [Mood.GOOD] * dice.randint(0, 1) + [dice.choice(bad)]
    return found


def _fates(dice: random.Random) -> list[Fate]:
    if dice.random() > 0.25:
        return []
    return [Fate.SUCCEEDS] * dice.randint(0, 2) + [dice.choice(list(Fate))]
