"""A backup that is taken while a store is written opens again, and a house goes on with it."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app import create_app
from bot.config.settings import Settings
from bot.domain import Status
from bot.tasks.opening import Place
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import STORE_FILE
from tests.postgres import Server
from tests.tasks.making import claimed, finish, keep_submitting, wish

CHIMERA_S = 60
MANY = 40


@dataclass(frozen=True)
class Here:
    """Where a store is, and how its backup is put where another one is to be."""

    data: Path
    url: str
    restored: Callable[[Path], Settings]

    @property
    def place(self) -> Place:
        return Place(path=self.data / STORE_FILE, url=self.url)

    def chimera(self, *words: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
        clean |= {"DATABASE_URL": self.url} if self.url else {}
        argv = [sys.executable, "-m", "bot", *words, "--data-dir", str(self.data)]
        return subprocess.run(
            argv, env=clean, capture_output=True, text=True, timeout=CHIMERA_S, check=False
        )


def on_sqlite(folder: Path) -> Here:
    def restored(saved: Path) -> Settings:
        (folder / "new").mkdir()
        shutil.copy(saved, folder / "new" / STORE_FILE)
        return Settings(data_dir=folder / "new")

    return Here(folder / "old", "", restored)


def on_postgres(folder: Path, server: Server) -> Here:
    def restored(saved: Path) -> Settings:
        url = server.database()
        argv = ["pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}", str(saved)]
        subprocess.run(argv, timeout=CHIMERA_S, check=True)
        return Settings(data_dir=folder / "new", database_url=SecretStr(url))

    return Here(folder / "old", server.database(), restored)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Here:
    (tmp_path / "old").mkdir()
    if request.param == "sqlite":
        return on_sqlite(tmp_path)
    return on_postgres(tmp_path, request.getfixturevalue("postgres"))


async def test_a_house_goes_on_from_a_backup_that_was_taken_while_it_was_written(
    here: Here, tmp_path: Path
) -> None:
    store = await here.place.open()
    queue = TaskQueue(store, time.time)
    await queue.accept("guid-1", "issues", "labeled", "{}")
    for issue in range(1, MANY):
        await queue.submit(wish(issue))
    done = await finish(queue, await claimed(queue))
    writing = asyncio.create_task(keep_submitting(queue))
    saved = tmp_path / "backup"
    backup = await asyncio.to_thread(here.chimera, "db", "backup", str(saved))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()
    assert backup.returncode == 0, backup.stderr
    assert ("pg_restore" in backup.stderr) is bool(here.url), "it says how it is put back"

    settings = await asyncio.to_thread(here.restored, saved)
    async with create_app(settings) as house:
        page = await house.queue.page(limit=500)
        assert len(page.tasks) >= MANY - 1
        assert (await house.queue.get(done.id)).status is Status.COMPLETED
        assert not await house.queue.accept("guid-1", "issues", "labeled", "{}"), "known already"
        more, new = await house.queue.submit(wish(10_000))
        assert new, "numbers go on where they were"
        next_one = await claimed(house.queue)
        assert next_one.id not in (done.id, more.id)
        await finish(house.queue, next_one)


async def test_a_backup_overwrites_nothing(here: Here, tmp_path: Path) -> None:
    await (await here.place.open()).close()
    (tmp_path / "backup").write_text("mine")
    refused = await asyncio.to_thread(here.chimera, "db", "backup", str(tmp_path / "backup"))
    assert refused.returncode == 2
    assert (tmp_path / "backup").read_text() == "mine"


@pytest.mark.postgres
def test_a_dump_that_fails_says_why_leaves_no_file_and_shows_no_password(
    postgres: Server, tmp_path: Path
) -> None:
    gone = postgres.url("t_never_made").replace("postgres@", "postgres:a-secret@")
    here = Here(tmp_path, gone, lambda _saved: Settings())
    failed = here.chimera("db", "backup", str(tmp_path / "backup"))
    assert failed.returncode == 75
    assert "t_never_made" in failed.stderr
    assert "a-secret" not in failed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_a_backup_changes_nothing_of_a_database_that_is_to_be_upgraded(
    postgres: Server, tmp_path: Path
) -> None:
    here = on_postgres(tmp_path, postgres)
    saved = here.chimera("db", "backup", str(tmp_path / "backup"))
    assert saved.returncode == 0, saved.stderr
    listed = subprocess.run(
        ["pg_restore", "--list", str(tmp_path / "backup")],
        capture_output=True, text=True, timeout=CHIMERA_S, check=True,
    )  # fmt: skip
    assert "TABLE" not in listed.stdout, "it was empty, and no table was made"
