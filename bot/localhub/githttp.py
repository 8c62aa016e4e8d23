"""git over HTTP: ``git http-backend`` behind ASGI, with GitHub's way of signing in.

https://git-scm.com/docs/git-http-backend
"""

import asyncio
import gzip
import os
import re
import zlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from bot.localhub import auth, pushes
from bot.localhub.auth import Actor
from bot.localhub.calls import Calls, Exchange
from bot.localhub.errors import Refused, forbidden, not_found
from bot.localhub.gitrepo import CLEAN, NULL_SHA, all_refs, git
from bot.localhub.processes import ended, started
from bot.localhub.rest_git import touches_workflows
from bot.localhub.state import Repository
from bot.localhub.world import World

MAX_BODY = 512 * 1024 * 1024
TIMEOUT_S = 120
SERVICES = ("git-upload-pack", "git-receive-pack")
_ENDPOINT = re.compile(r"/(info/refs|git-upload-pack|git-receive-pack)\Z")
_WORKFLOW_REFUSAL = (
    "refusing to allow a GitHub App to create or update workflow without `workflows` permission"
)


class GitHttp:
    """Clone, fetch and push for the repositories of the hub."""

    def __init__(self, world: World, calls: Calls) -> None:
        self.world = world
        self.calls = calls

    async def __call__(self, request: Request) -> Response:
        """Serve ``/{owner}/{repo}.git/{info/refs|git-upload-pack|git-receive-pack}``."""
        actor = auth.ANONYMOUS
        try:
            actor = auth.identify(self.world, request.headers.get("authorization", ""))
            response = await self._serve(request, actor)
        except Refused as refusal:
            response = _refusal(refusal, actor)
        self._log(request, actor, response)
        return response

    async def _serve(self, request: Request, actor: Actor) -> Response:
        rest = "/" + request.path_params["rest"]
        service = request.query_params.get("service") or rest[1:]
        if not _ENDPOINT.match(rest) or service not in SERVICES:
            raise not_found()
        name = request.path_params["repo"].removesuffix(".git")
        repo = self._repository(request.path_params["owner"], name)
        self._admit(actor, repo, service)
        body = await _read(request)
        if rest == "/git-receive-pack":
            return await self._receive(request, actor, repo, body)
        return await _backend(repo, rest, request, body)

    def _repository(self, owner: str, name: str) -> Repository:
        """By its name or a former name: git follows a rename."""
        former = self.world.moved.get(f"{owner}/{name}".lower())
        if former is not None:
            return self.world.repositories[former]
        return self.world.repository(owner, name)

    def _admit(self, actor: Actor, repo: Repository, service: str) -> None:
        writing = service == "git-receive-pack"
        if actor.via == "anonymous" and (writing or repo.private):
            raise Refused(401, "Authentication required")
        level = "write" if writing else "read"
        permission = f"contents:{level}"
        auth.require(self.world, actor, repo, permission, level, reading=not writing)
        if writing and repo.archived:
            raise forbidden("This repository was archived so it is read-only.")

    async def _receive(
        self, request: Request, actor: Actor, repo: Repository, body: bytes
    ) -> Response:
        """Let git take the push, see what moved, and tell everybody."""
        asked = commands(body)
        before = await asyncio.to_thread(all_refs, repo.path)
        response = await _backend(repo, "/git-receive-pack", request, body)
        after = await asyncio.to_thread(all_refs, repo.path)
        changed = {
            ref: (before.get(ref), new)
            for ref, new in asked.items()
            if after.get(ref) == new and before.get(ref) != new
        }
        refused = await self._put_back(actor, repo, changed)
        if refused:
            return _report(refused, list(changed))
        await pushes.moved(self.world, repo, actor, changed)
        return response

    async def _put_back(
        self,
        actor: Actor,
        repo: Repository,
        changed: Mapping[str, tuple[str | None, str | None]],
    ) -> str:
        """Undo a push of workflow files by an App that may not write them."""
        if not actor.scoped or actor.holds("workflows:write"):
            return ""
        for old, new in changed.values():
            if new is not None and await touches_workflows(repo, old, new):
                for ref, (was, now) in changed.items():
                    args = ["update-ref", ref, was] if was else ["update-ref", "-d", ref]
                    await git(repo.path, *args, now or NULL_SHA)
                return _WORKFLOW_REFUSAL
        return ""

    def _log(self, request: Request, actor: Actor, response: Response) -> None:
        rest = request.path_params["rest"]
        self.calls.append(
            Exchange(
                method=request.method,
                route=f"git {request.query_params.get('service') or rest}",
                path=request.url.path,
                query=dict(request.query_params),
                headers=dict(request.headers),
                body=None,
                raw_body=b"",
                actor=actor.name,
                status=response.status_code,
                response=None,
                response_headers=dict(response.headers),
                at=self.world.now(),
                kind="git",
            )
        )


def commands(body: bytes) -> dict[str, str | None]:
    """The refs that a push asks to move and where to (None: delete), from its first packets."""
    found: dict[str, str | None] = {}
    at = 0
    while at + 4 <= len(body):
        try:
            size = int(body[at : at + 4], 16)
        except ValueError:
            break
        if size < 4:
            break
        _, new, ref = (
            body[at + 4 : at + size].split(b"\0")[0].decode(errors="replace").split(" ", 2)
        )
        found[ref.strip()] = None if new == NULL_SHA else new
        at += size
    return found


async def _read(request: Request) -> bytes:
    """The whole body within limits, unzipped where git has zipped it."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise Refused(413, "Payload too large")
        parts.append(part)
    body = b"".join(parts)
    if request.headers.get("content-encoding") != "gzip":
        return body
    try:
        return await asyncio.to_thread(gzip.decompress, body)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(400, "Bad gzip body") from error


async def _backend(repo: Repository, rest: str, request: Request, body: bytes) -> Response:
    """Run git's own CGI program and turn its answer into a response."""
    process = await started(
        ("git", "http-backend"),
        env=_cgi(repo, rest, request, len(body)),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate(body)
    except TimeoutError as error:
        raise Refused(504, "git took too long") from error
    finally:
        await asyncio.shield(ended(process))
    head, _, content = out.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
    status = int(headers.pop("Status", "200").split(" ")[0])
    return Response(content, status, headers=headers)


def _cgi(repo: Repository, rest: str, request: Request, length: int) -> dict[str, str]:
    env = CLEAN | {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "GIT_PROJECT_ROOT": str(repo.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": rest,
        "QUERY_STRING": request.url.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(length),
        "REMOTE_USER": "localhub",
        "REMOTE_ADDR": "127.0.0.1",
    }
    protocol = request.headers.get("git-protocol")
    return env | ({"GIT_PROTOCOL": protocol} if protocol else {})


def _report(reason: str, refs: list[str]) -> Response:
    """A receive-pack report that refuses every ref, so that ``git push`` prints the reason."""
    lines = [_packet("unpack ok\n")] + [_packet(f"ng {ref} {reason}\n") for ref in refs]
    report = b"".join(lines) + b"0000"
    framed = _packet_bytes(b"\x01" + report) + b"0000"
    kind = "application/x-git-receive-pack-result"
    return Response(framed, 200, headers={"content-type": kind})


def _packet(text: str) -> bytes:
    return _packet_bytes(text.encode())


def _packet_bytes(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


def _refusal(refusal: Refused, actor: Actor) -> Response:
    if refusal.status == 401:
        headers = {"WWW-Authenticate": 'Basic realm="GitHub"'}
        return Response(refusal.message, 401, headers=headers)
    status = 301 if refusal.location else refusal.status
    return Response(refusal.message, 404 if status == 301 else status)
