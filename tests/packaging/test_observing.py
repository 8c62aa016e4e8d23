"""Alerts and dashboard speak of numbers that are really exported, and the alerts fire."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain import Status, WaitFor
from bot.tasks.inbox import InboxState
from bot.tasks.lasting import BreakerState
from bot.web.statistics import as_json
from tests.docs.pages import anchors, spans
from tests.packaging.exported import exported, exposition, numbers
from tests.packaging.promql import asked
from tests.packaging.tools import ROOT, absent, run
from tests.web.house import opened_house

RULES = ROOT / "config" / "alerts" / "chimera.rules.yml"
DASHBOARD = ROOT / "config" / "grafana" / "chimera.json"
RUNBOOK = ROOT / "docs" / "how-to" / "runbook.md"
#: What Prometheus itself adds to every series, and the one series that it makes.
GIVEN, MADE = {"instance", "job"}, {"up": {"instance", "job"}}
SEVERITIES = {"critical", "warning", "info"}

alerts = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


def told(expression: str, known: Mapping[str, set[str]]) -> Iterator[str]:
    """What an expression asks for that nobody exports."""
    for one in asked(expression):
        if one.name not in known:
            yield f"{one.name} is not exported"
        elif missing := one.labels - known[one.name] - GIVEN - {"le"}:
            yield f"{one.name} has no label {missing}"


async def test_every_alert_and_every_panel_reads_what_is_exported(tmp_path: Path) -> None:
    known = {**await exported(tmp_path), **MADE}
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    expressions = [rule["expr"] for rule in alerts] + shown
    assert len(expressions) > 40
    assert [problem for one in expressions for problem in told(one, known)] == []


async def test_a_misspelt_name_or_label_would_be_noticed(tmp_path: Path) -> None:
    known = await exported(tmp_path)
    assert list(told("sum(rate(chimera_step_total[5m]))", known)) != []
    assert list(told('chimera_tasks{state="DEAD"} > 0', known)) != []


def test_the_values_that_are_chosen_by_are_members_of_our_own_sets() -> None:
    sets: dict[str, set[str]] = {
        "wait": set(WaitFor),
        "status": set(Status),
        "state": {*BreakerState, *InboxState},
    }
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    chosen = {
        pair for one in [rule["expr"] for rule in alerts] + shown
        for series in asked(one) for pair in series.chosen
    }  # fmt: skip
    assert {name for name, _ in chosen} >= set(sets)
    assert {pair for pair in chosen if pair[0] in sets and pair[1] not in sets[pair[0]]} == set()


def test_every_wait_for_a_person_is_shown_and_told_but_what_a_person_has_stopped() -> None:
    people = {wait.value for wait in WaitFor if wait.needs_person}
    [shown] = [panel for panel in panels if panel["title"] == "Waiting for a person"]
    [told] = [rule["expr"] for rule in alerts if rule["alert"] == "ChimeraPeopleAwaited"]
    assert _waits(shown["targets"][0]["expr"]) == people
    assert _waits(told) == people - {WaitFor.PAUSED, WaitFor.HOLD}


def _waits(expression: str) -> set[str]:
    """What is waited for, in the series that an expression chooses."""
    chosen = {pair for series in asked(expression) for pair in series.chosen}
    return {value for name, value in chosen if name == "wait"}


async def test_names_have_units_and_counters_end_in_total(tmp_path: Path) -> None:
    ours = [name for name in await exported(tmp_path) if name.startswith("chimera_")]
    assert len(ours) > 20
    for name in ours:
        assert name == name.lower()
        assert not name.endswith(("_s", "_ms", "_count_total", "_percent")), name


@pytest.mark.pypi
async def test_prometheus_own_checker_has_nothing_to_say_of_the_page(
    promtool: Path, tmp_path: Path
) -> None:
    done = run([promtool, "check", "metrics"], stdin=await exposition(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def test_the_page_of_the_numbers_names_every_member_of_the_document(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        document = as_json(await numbers(house))
    said = set(spans(ROOT / "docs" / "reference" / "metrics.md"))
    assert set(document) - said == set()


@pytest.mark.parametrize("alert", alerts, ids=lambda alert: alert["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in SEVERITIES
    assert {"summary", "action", "runbook_url"} == set(alert["annotations"])
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == alert["alert"].lower()
    assert anchor in anchors(RUNBOOK)


def test_the_runbook_has_no_chapter_of_an_alert_that_is_gone() -> None:
    chapters = {name for name in anchors(RUNBOOK) if name.startswith("chimera")}
    assert chapters == {alert["alert"].lower() for alert in alerts}


#: What makes each alert fire: series, with a value every two minutes in Prometheus' notation.
FIRES: dict[str, dict[str, str]] = {
    "ChimeraDown": {"up": "0x150"},
    "ChimeraPartDegraded": {'chimera_part_healthy{part="disk"}': "0x150"},
    "ChimeraDeliveriesLate": {'chimera_deliveries_oldest_seconds{state="new"}': "0+60x150"},
    "ChimeraDeliveriesFailed": {'chimera_deliveries{state="failed"}': "1x150"},
    "ChimeraPoolIdle": {"chimera_queue_depth": "4x150", "chimera_pool_active": "0x150"},
    "ChimeraQueueOld": {"chimera_queue_oldest_seconds": "0+60x150"},
    "ChimeraQueueGrows": {
        "chimera_queue_depth": "0+1x150",
        "chimera_pool_active": "5x150",
        "chimera_pool_utilisation_ratio": "1x150",
    },
    "ChimeraNoProgress": {
        "chimera_pool_active": "2x150",
        'chimera_steps_total{phase="CODE_IMPLEMENTATION"}': "7x150",
    },
    "ChimeraDeadLetters": {'chimera_tasks{status="DEAD"}': "1x150"},
    "ChimeraTasksFail": {
        'chimera_workflows_processed_total{outcome="failed"}': "0+0.1x150",
        'chimera_workflows_processed_total{outcome="succeeded"}': "0+0.01x150",
    },
    "ChimeraRetries": {'chimera_step_retries_total{cause="transient"}': "0+2x150"},
    "ChimeraBreakerOpen": {'chimera_breakers{dependency="github",state="open"}': "1x150"},
    "ChimeraStepCrashes": {"chimera_step_crashes_total": "0+0.1x150"},
    "ChimeraBudgetNearlySpent": {
        "chimera_cost_today_usd": "9x150",
        "chimera_cost_daily_limit_usd": "10x150",
    },
    "ChimeraPeopleAwaited": {'chimera_tasks_waiting_oldest_seconds{wait="approval"}': "200000x150"},
    "ChimeraFilesRunOut": {"process_open_fds": "900x150", "process_max_fds": "1000x150"},
}
#: A factory at work, in which nothing is wrong.
WELL: dict[str, str] = {
    "up": "1x150",
    'chimera_part_healthy{part="disk"}': "1x150",
    'chimera_deliveries_oldest_seconds{state="new"}': "2x150",
    'chimera_deliveries{state="failed"}': "0x150",
    "chimera_queue_depth": "3x150",
    "chimera_queue_oldest_seconds": "120x150",
    "chimera_pool_active": "5x150",
    "chimera_pool_utilisation_ratio": "1x150",
    'chimera_steps_total{phase="CODE_IMPLEMENTATION"}': "0+0.2x150",
    'chimera_tasks{status="DEAD"}': "0x150",
    'chimera_workflows_processed_total{outcome="succeeded"}': "0+0.1x150",
    'chimera_workflows_processed_total{outcome="failed"}': "0+0.01x150",
    'chimera_step_retries_total{cause="transient"}': "0+0.1x150",
    'chimera_breakers{dependency="github",state="open"}': "0x150",
    "chimera_step_crashes_total": "0x150",
    "chimera_cost_today_usd": "1x150",
    "chimera_cost_daily_limit_usd": "10x150",
    'chimera_tasks_waiting_oldest_seconds{wait="approval"}': "600x150",
    "process_open_fds": "90x150",
    "process_max_fds": "1000x150",
}


def test_every_alert_has_what_makes_it_fire() -> None:
    assert set(FIRES) == {alert["alert"] for alert in alerts}


@pytest.mark.pypi
def test_each_alert_fires_for_its_trouble_and_none_while_all_is_well(
    promtool: Path, tmp_path: Path
) -> None:
    cases = [_case(WELL | series, alert) for alert, series in FIRES.items()] + [_case(WELL, "")]
    file = tmp_path / "alerts.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": cases})
    )
    done = run([promtool, "test", "rules", file])
    assert done.returncode == 0, done.stdout + done.stderr


def _case(series: Mapping[str, str], alert: str) -> dict[str, Any]:
    """Five hours, at whose end exactly this alert is firing; none, where it is empty."""
    firing = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    return {
        "interval": "2m",
        "input_series": [
            {"series": _of_a_server(name), "values": values} for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "300m",
                "exp_samples": firing,
            }
        ],
    }


def _of_a_server(series: str) -> str:
    name, _, labels = series.removesuffix("}").partition("{")
    given = ['job="chimera"', 'instance="a"', *([labels] if labels else [])]
    return f"{name}{{{','.join(given)}}}"


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prometheus' own checker: the one on PATH, or unpacked from Debian's package."""
    if found := shutil.which("promtool"):
        return Path(found)
    place = tmp_path_factory.mktemp("prometheus")
    for argv in (["apt-get", "download", "prometheus"], ["sh", "-c", "dpkg-deb -x *.deb ."]):
        if shutil.which(argv[0]) is None or run(argv, cwd=place).returncode:
            absent("promtool is neither here nor to be had from Debian's packages")
    return place / "usr/bin/promtool"
