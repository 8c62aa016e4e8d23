"""Check runs and commit statuses.

https://docs.github.com/en/rest/checks/runs and https://docs.github.com/en/rest/commits/statuses
"""

from typing import Any

from bot.github import names
from bot.github.calls import RepoCalls
from bot.github.fields import Fields
from bot.github.types import (
    Annotation,
    Button,
    Check,
    CheckRun,
    CheckStatus,
    CombinedStatus,
    Made,
)

MAX_TEXT = 65_535  #: characters of `summary` and of `text`
MAX_ANNOTATIONS = 50  #: in one request
MAX_BUTTONS = 3


class CheckCalls(RepoCalls):
    """What we do with check runs; statuses are only read."""

    async def create_check(self, name: str, *, sha: str, external_id: str, check: Check) -> Made:
        wanted = {"name": name, "head_sha": names.sha(sha), "external_id": external_id}
        return await self._make("/check-runs", wanted | _said(check))

    async def update_check(self, check_run_id: int, check: Check) -> None:
        """Say something new. Annotations are added to those that are there."""
        await self._send("PATCH", f"/check-runs/{names.number(check_run_id)}", _said(check))

    async def checks(self, sha: str, *, name: str = "", app_id: int = 0) -> list[CheckRun]:
        """All check runs of a commit, older ones of the same name included."""
        params: dict[str, str | int] = {"filter": "all"}
        if name:
            params["check_name"] = name
        if app_id:
            params["app_id"] = app_id
        path = f"/commits/{names.sha(sha)}/check-runs"
        return [_check_run(one) for one in await self._list(path, params, of="check_runs")]

    async def annotations(self, check_run_id: int) -> list[Annotation]:
        """What a check run, or the job of an Actions run with this id, wrote beside lines."""
        path = f"/check-runs/{names.number(check_run_id)}/annotations"
        return [_annotation(one) for one in await self._list(path)]

    async def statuses(self, sha: str) -> CombinedStatus:
        """The commit's statuses, taken together; no statuses at all count as pending."""
        given = await self._get(f"/commits/{names.sha(sha)}/status", {"per_page": 100})
        bad = (s for s in given.items("statuses") if s.text("state") in {"failure", "error"})
        return CombinedStatus(
            state=given.text("state"),
            failed=tuple(status.text("context") for status in bad),
            total=given.number("total_count"),
        )


def _said(check: Check) -> dict[str, Any]:
    """The body of a request; what is empty is left out, and so left alone, but for the buttons."""
    said: dict[str, Any] = {"status": check.status.value}
    if check.conclusion is not None:
        said["conclusion"] = check.conclusion.value
    if check.details_url:
        said["details_url"] = check.details_url
    if check.title:
        said["output"] = _output(check)
    shown = check.buttons if check.status is CheckStatus.COMPLETED else ()
    said["actions"] = [_button(one) for one in shown[:MAX_BUTTONS]]
    return said


def _button(button: Button) -> dict[str, str]:
    return {
        "label": button.label,
        "description": button.description,
        "identifier": button.identifier,
    }


def _output(check: Check) -> dict[str, Any]:
    output: dict[str, Any] = {"title": check.title, "summary": check.summary[:MAX_TEXT]}
    if check.text:
        output["text"] = check.text[:MAX_TEXT]
    if check.annotations:
        shown = check.annotations[:MAX_ANNOTATIONS]
        output["annotations"] = [_sent(one) for one in shown]
    return output


def _sent(annotation: Annotation) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "message": annotation.message,
    }
    return sent | ({"title": annotation.title} if annotation.title else {})


def _check_run(given: Fields) -> CheckRun:
    return CheckRun(
        id=given.number("id"),
        name=given.text("name"),
        head_sha=given.text("head_sha"),
        external_id=given.text("external_id"),
        status=given.text("status"),
        conclusion=given.text("conclusion"),
        app_id=given["app"].number("id"),
        html_url=given.text("html_url"),
    )


def _annotation(given: Fields) -> Annotation:
    return Annotation(
        path=given.text("path"),
        line=given.number("start_line"),
        level=given.text("annotation_level"),
        message=given.text("message"),
        title=given.text("title"),
    )
