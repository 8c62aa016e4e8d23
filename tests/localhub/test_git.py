"""Real git over HTTP: clone, push, and who may."""

import asyncio
import os
from pathlib import Path

from bot.localhub import gitrepo
from tests.localhub.shop import Shop

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "W",
    "GIT_AUTHOR_EMAIL": "walt@example.test",
    "GIT_COMMITTER_NAME": "W",
    "GIT_COMMITTER_EMAIL": "walt@example.test",
}


async def git(where: Path, *args: str) -> tuple[int, str]:
    """git's exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *("git", *args),
        cwd=where,
        env=ENV,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode().strip()


def url(shop: Shop, token: str, name: str = "shop") -> str:
    host = shop.hub.base_url.removeprefix("http://")
    return f"http://x-access-token:{token}@{host}/acme/{name}.git"


async def commit(work: Path, path: str, text: str) -> str:
    target = work / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    await git(work, "add", "-A")
    await git(work, "commit", "-qm", f"change {path}")
    return (await git(work, "rev-parse", "HEAD"))[1]


async def test_a_clone_a_push_and_the_events_that_follow(shop: Shop, tmp_path: Path) -> None:
    token = await shop.new_token()
    assert (await git(tmp_path, "clone", "-q", url(shop, token), "work"))[0] == 0
    work = tmp_path / "work"
    await git(work, "checkout", "-qb", "feat/one")
    sha = await commit(work, "app.py", "def total():\n    return 2\n")
    assert (await git(work, "push", "-q", "origin", "feat/one")) == (0, "")
    ref = await shop.bot("GET", "/git/ref/heads/feat/one")
    assert ref.json()["object"]["sha"] == sha
    push = shop.events("push")[-1]
    assert (push["ref"], push["after"], push["created"]) == ("refs/heads/feat/one", sha, True)
    assert push["sender"]["login"] == "chimera[bot]"
    assert push["head_commit"]["message"] == "change app.py"
    assert shop.events("create")[-1]["ref"] == "feat/one"
    assert await git(work, "push", "-q", "origin", "--delete", "feat/one") == (0, "")
    assert shop.events("delete")[-1]["ref"] == "feat/one"
    assert {call.route for call in shop.hub.git_calls} == {
        "git git-upload-pack",
        "git git-receive-pack",
    }


async def test_a_large_push_arrives_whole(shop: Shop, tmp_path: Path) -> None:
    token = await shop.new_token()
    await git(tmp_path, "clone", "-q", url(shop, token), "work")
    work = tmp_path / "work"
    (work / "big").write_bytes(os.urandom(3_000_000))
    sha = await commit(work, "note", "big")
    code, out = await git(work, "push", "-q", "origin", "HEAD:big")
    assert (code, out) == (0, "")
    assert (await shop.bot("GET", "/git/ref/heads/big")).json()["object"]["sha"] == sha


async def test_a_push_to_a_pull_requests_branch_synchronizes_it(shop: Shop, tmp_path: Path) -> None:
    pull = await shop.pull()
    await git(tmp_path, "clone", "-q", "-b", "feat", url(shop, shop.token), "work")
    sha = await commit(tmp_path / "work", "more.py", "x = 1\n")
    await git(tmp_path / "work", "push", "-q", "origin", "feat")
    event = shop.events("pull_request")[-1]
    assert event["action"] == "synchronize"
    assert (event["before"], event["after"]) == (pull["head"]["sha"], sha)
    now = (await shop.bot("GET", f"/pulls/{pull['number']}")).json()
    assert (now["head"]["sha"], now["commits"], now["changed_files"]) == (sha, 2, 2)


async def test_an_app_may_not_push_workflow_files(shop: Shop, tmp_path: Path) -> None:
    token = await shop.new_token()
    await git(tmp_path, "clone", "-q", url(shop, token), "work")
    work = tmp_path / "work"
    await commit(work, ".github/workflows/evil.yml", "on: push\njobs: {}\n")
    code, out = await git(work, "push", "origin", "HEAD:feat")
    assert code != 0
    assert "without `workflows` permission" in out
    assert (await shop.bot("GET", "/git/ref/heads/feat")).status_code == 404
    assert shop.events("push") == []


async def test_git_asks_for_rights_as_the_api_does(shop: Shop, tmp_path: Path) -> None:
    reading = await shop.new_token({"permissions": {"contents": "read"}})
    await git(tmp_path, "clone", "-q", url(shop, reading), "work")
    await commit(tmp_path / "work", "x", "y")
    assert (await git(tmp_path / "work", "push", "-q", "origin", "HEAD:feat"))[0] != 0
    shop.hub.configure(shop.repo, private=True)
    assert (await git(tmp_path, "clone", "-q", url(shop, "ghs_wrong"), "w2"))[0] != 0
    token = shop.stranger.token
    assert (await git(tmp_path, "clone", "-q", url(shop, token), "w3"))[0] != 0
    assert (await git(tmp_path, "clone", "-q", url(shop, shop.writer.token), "w4"))[0] == 0


async def test_a_path_cannot_leave_the_repository(shop: Shop) -> None:
    for path in ("/acme/shop.git/../../git/config", "/acme/shop.git/config", "/acme/shop.git/HEAD"):
        answer = await shop.client.get(f"{shop.hub.base_url}{path}")
        assert answer.status_code == 404, path


async def test_refs_are_made_once_and_moved_forward_only(shop: Shop) -> None:
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    new = {"ref": "refs/heads/feat", "sha": main}
    assert (await shop.bot("POST", "/git/refs", new)).status_code == 201
    again = await shop.bot("POST", "/git/refs", new)
    assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
    ahead = await shop.writer.push(shop.repo, "feat", {"x": "1"}, "x")
    back = await shop.bot("PATCH", "/git/refs/heads/feat", {"sha": main})
    assert back.json()["message"] == "Update is not a fast forward"
    compared = (await shop.bot("GET", "/compare/main...feat")).json()
    assert (compared["status"], compared["ahead_by"]) == ("ahead", 1)
    assert compared["commits"][0]["sha"] == ahead
    assert (await shop.bot("DELETE", "/git/refs/heads/feat")).status_code == 204


async def test_the_same_commit_data_makes_the_same_commit(shop: Shop) -> None:
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    tree = (await shop.bot("GET", f"/git/commits/{main}")).json()["tree"]["sha"]
    who = {"name": "Bot", "email": "bot@example.test", "date": "2026-01-02T03:04:05Z"}
    body = {"message": "same", "tree": tree, "parents": [main], "author": who, "committer": who}
    first = (await shop.bot("POST", "/git/commits", body)).json()
    again = (await shop.bot("POST", "/git/commits", body)).json()
    assert first["sha"] == again["sha"]
    assert first["author"]["date"] == "2026-01-02T03:04:05Z"


async def test_files_are_read_and_written_by_the_contents_api(shop: Shop) -> None:
    read = (await shop.bot("GET", "/contents/README.md")).json()
    assert (read["encoding"], read["content"]) == ("base64", "IyBTaG9wCg==\n")
    body = {"message": "m", "content": "IyBTdG9yZQo=", "branch": "main"}
    refused = await shop.bot("PUT", "/contents/README.md", body)
    assert refused.status_code == 422
    stale = await shop.bot("PUT", "/contents/README.md", body | {"sha": "0" * 40})
    assert stale.status_code == 409
    written = await shop.bot("PUT", "/contents/README.md", body | {"sha": read["sha"]})
    assert written.status_code == 200
    listed = (await shop.bot("GET", "/contents/")).json()
    assert {one["name"]: one["type"] for one in listed}[".github"] == "dir"
    assert (await shop.bot("GET", "/contents/nothing")).status_code == 404


def test_git_is_not_hit_by_the_ctrl_c_of_the_hubs_terminal(tmp_path: Path) -> None:
    """Ctrl-C goes to the terminal's foreground group, of which git must be no member."""
    group = gitrepo.run(tmp_path, "-c", "alias.group=!cut -d' ' -f5 /proc/self/stat", "group")
    assert int(group) != os.getpgrp()
