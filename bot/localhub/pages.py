"""Plain web pages: what a person would see on GitHub, with every text escaped."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from bot.localhub import gitrepo, pulling
from bot.localhub.errors import Refused, not_found
from bot.localhub.state import Repository
from bot.localhub.world import World

#: No script runs on these pages, whatever a text says.
CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action *; base-uri 'none'"
DIFF_LIMIT = 400_000
#: Bare tags that GitHub shows as what they are; with an attribute they stay text here.
_SHOWN_TAG = re.compile(r"&lt;(/?(?:details|summary|sub|sup|kbd|br))&gt;")

#: https://docs.github.com/rest/reactions/reactions#about-reactions
EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "eyes": "👀",
    "rocket": "🚀",
}


class Pages:
    """The hub's pages, drawn from its state."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._markdown = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
        for kind in ("html_block", "html_inline"):
            self._markdown.add_render_rule(kind, _html)
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["markdown"] = self._rendered
        self._templates.filters["time"] = _when
        self._templates.filters["emoji"] = EMOJI.__getitem__

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """One page."""
        html = self._templates.get_template(template).render(world=self.world, **values)
        return HTMLResponse(html, status, headers={"Content-Security-Policy": CSP})

    def plain(self, text: str, status: int) -> Response:
        """A sentence as a page."""
        return PlainTextResponse(text, status)

    def _rendered(self, text: str | None) -> Markup:
        """Markdown as HTML; HTML inside it stays text, a few bare tags and comments apart."""
        visible = _without_comments(text or "")
        return Markup(self._markdown.render(visible))  # noqa: S704 - `_html` escapes what is HTML

    async def home(self, request: Request) -> Response:
        return self.show("home.html", repositories=list(self.world.repositories.values()))

    async def repository(self, request: Request) -> Response:
        return self._with_repo(request, lambda repo: self.show("repository.html", repo=repo))

    async def issue(self, request: Request) -> Response:
        """An issue or pull request, with checks and diff where there are any."""
        try:
            repo = self._repo(request)
            one = self.world.issue(repo, int(request.path_params["number"]))
        except Refused as refusal:
            return self.plain(refusal.message, 404)
        checks, diff, state = [], "", ""
        if one.pull is not None:
            await pulling.refresh(repo, one.pull)
            state = pulling.mergeable_state(repo, one, one.pull)
            checks = pulling.latest_checks(repo, one.pull.head_sha)
            diff = await self._diff(repo, one.pull.base_sha, one.pull.head_sha)
        return self.show(
            "issue.html", repo=repo, issue=one, checks=checks, diff=diff, mergeable=state
        )

    async def _diff(self, repo: Repository, base: str, head: str) -> str:
        try:
            return (await gitrepo.git(repo.path, "diff", f"{base}...{head}"))[:DIFF_LIMIT]
        except gitrepo.GitFailed:
            return ""

    async def run(self, request: Request) -> Response:
        """A workflow run with the logs of its jobs."""

        def draw(repo: Repository) -> Response:
            found = repo.runs.get(int(request.path_params["run_id"]))
            if found is None:
                raise not_found()
            return self.show("run.html", repo=repo, run=found)

        return self._with_repo(request, draw)

    async def check(self, request: Request) -> Response:
        """A check run with its output and annotations."""

        def draw(repo: Repository) -> Response:
            found = repo.checks.get(int(request.path_params["check_id"]))
            if found is None:
                raise not_found()
            return self.show("check.html", repo=repo, check=found)

        return self._with_repo(request, draw)

    def _with_repo(self, request: Request, draw: Callable[[Repository], Response]) -> Response:
        try:
            return draw(self._repo(request))
        except Refused as refusal:
            return self.plain(refusal.message, 404)

    def _repo(self, request: Request) -> Repository:
        """The repository of the path; private ones are shown too, for the hub is on loopback."""
        return self.world.repository(request.path_params["owner"], request.path_params["repo"])


def _when(at: float) -> str:
    """An instant as people read it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _html(_renderer: Any, tokens: Sequence[Token], at: int, *_: Any) -> str:
    """HTML in a text: escaped, but for the tags that fold and shrink."""
    return _SHOWN_TAG.sub(r"<\1>", str(escape(tokens[at].content)))


def _without_comments(text: str) -> str:
    """The text without HTML comments; what is never closed ends the text."""
    kept, rest = [], text
    while rest:
        before, opened, after = rest.partition("<!--")
        kept.append(before)
        rest = after.partition("-->")[2] if opened else ""
    return "".join(kept)
