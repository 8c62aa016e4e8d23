"""A PostgreSQL server of the tests' own: made, used on loopback, and gone at the end.

The programs come from the system. PostgreSQL refuses to run as root, so there it runs as the
user `postgres`, which the package made.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bot.demo.ports import free_port

USER = "postgres"
PACKAGES = Path("/usr/lib/postgresql")  #: where Debian keeps every version's programs
OPTIONS = "-c listen_addresses=127.0.0.1 -c max_connections=60 -c shared_buffers=32MB"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
_KEPT = "chimera_schema"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, or None where there is no server to run."""
    if (found := shutil.which("pg_ctl")) and shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(PACKAGES.glob("*/bin/pg_ctl"), key=lambda p: int(p.parent.parent.name))
    return versions[-1].parent if versions else None


@dataclass(slots=True)
class Server:
    """A running server; `database()` makes an empty database and tells its address."""

    bin: Path
    folder: Path
    port: int
    fsync: bool

    @classmethod
    def start(cls, *, fsync: bool = True) -> "Server":
        """`fsync=False` for what no test pulls the plug of: it is many times as quick."""
        found = programs()
        assert found is not None, "ask programs() first"
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        server = cls(bin=found, folder=folder, port=free_port(), fsync=fsync)
        if os.geteuid() == 0:
            shutil.chown(server.folder, USER)
        data = str(server.folder / "data")
        server._run("initdb", "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C")
        server.up()
        return server

    def up(self) -> None:
        """Start it, or start it again."""
        fsync = "on" if self.fsync else "off"
        options = f"{OPTIONS} -c fsync={fsync} -p {self.port} -k {self.folder}"
        log = str(self.folder / "log")
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-w",
            "-t",
            "150",
            "-o",
            options,
            "-l",
            log,
            "start",
        )

    def down(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is a crash, after which it recovers."""
        self._control("-m", mode, "stop")

    def remove(self) -> None:
        self.down()
        shutil.rmtree(self.folder)

    def database(self) -> str:
        """A new database's address."""
        name = f"t_{uuid.uuid4().hex}"
        with psycopg.connect(self.url(USER), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def emptied(self, url: str) -> None:
        """Take every row out of a database that a store has made."""
        with psycopg.connect(url, autocommit=True) as admin:
            names = [row[0] for row in admin.execute(_TABLES) if row[0] != _KEPT]
            if names:
                admin.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY CASCADE".encode())

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def _control(self, *args: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "150", *args)

    def _run(self, program: str, *args: str) -> None:
        argv: Sequence[str] = [str(self.bin / program), *args]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            user=pwd.getpwnam(USER).pw_uid if os.geteuid() == 0 else None,
            group=pwd.getpwnam(USER).pw_gid if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"
