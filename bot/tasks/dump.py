"""A backup of a PostgreSQL store, by the programs that PostgreSQL has for it."""

import asyncio
import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bot.errors import StoreError


async def dump(url: str, target: Path) -> None:
    """Write the database as it is, whatever its schema, in pg_restore's own format.

    It may be written to meanwhile: the file is one consistent moment. Raises StoreError, and leaves
    nothing behind then.
    """
    if await asyncio.to_thread(target.exists):
        raise StoreError(f"{target}: there is a file already; a backup never overwrites one")
    parts = conninfo_to_dict(url)
    secret = {"PGPASSWORD": str(word)} if (word := parts.pop("password", None)) else {}
    place = make_conninfo("", **parts)  # all of it but the password, which others could read
    argv = ["pg_dump", "--format=custom", f"--file={target}", f"--dbname={place}"]
    try:
        program = await asyncio.create_subprocess_exec(
            *argv, env=os.environ | secret, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise StoreError(f"pg_dump: {error}. Install PostgreSQL's client programs") from error
    _, said = await program.communicate()
    if program.returncode:
        await asyncio.to_thread(target.unlink, missing_ok=True)
        raise StoreError(f"pg_dump: {said.decode('utf-8', 'replace').strip()}")
