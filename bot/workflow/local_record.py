"""What a local run leaves besides its branch: its record, in the repository's own git directory.

There it is in no work tree and on no branch, and goes nowhere by a push. It holds the task, its
journal and the transcripts of its agents, without secrets; `chimera task replay` plays it again.
"""

import asyncio
import json
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bot.errors import InputError, NotFound
from bot.log import masked
from bot.workflow.local import asked_of, local_origin
from bot.workflow.replaying import Record

FOLDER = "chimera"
KEPT = 20  #: of a repository; the oldest go first

_RECORD = TypeAdapter(Record)


async def keep(repository: Path, record: Record) -> Path:
    """Write the record of a run on `repository`; where it is."""
    folder = await _folder(repository)
    return await asyncio.to_thread(_written, folder, record)


async def kept(repository: Path, task_id: str) -> Record:
    """What `keep` wrote. Raises NotFound, InputError."""
    folder = await _folder(repository)
    known = {path.stem: path for path in await asyncio.to_thread(_oldest_first, folder)}
    if task_id not in known:
        told = ", ".join(reversed(known)) or "none"
        raise NotFound(f"{folder}: no record of {task_id}; there is {told}")
    try:
        return _RECORD.validate_json(await asyncio.to_thread(known[task_id].read_bytes))
    except ValidationError as problem:
        raise InputError(f"{known[task_id]}: not a record of this version: {problem}") from problem


async def _folder(repository: Path) -> Path:
    """In the directory that all work trees of the repository share."""
    root = Path((await local_origin(repository)).url)
    words = ("rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(await asked_of(root, *words)) / FOLDER


def _written(folder: Path, record: Record) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{record.task.id}.json"
    whole = masked(_RECORD.dump_python(record, mode="json"))
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(fresh, path)
    for old in _oldest_first(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _oldest_first(folder: Path) -> list[Path]:
    """By name, for a task's id begins with its time."""
    return sorted(folder.glob("*.json"))
