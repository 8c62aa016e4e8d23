"""The hands of the built-in agent: six tools, every one of them at work inside the cage."""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bot.agents.agent import Brief
from bot.agents.cage_policy import PARTS, Bind
from bot.agents.cage_run import Ending, Ran

_FILES = Path(__file__).parent / "inside" / "files.py"
_FILE_TOOL_S = 30
_EXIT = "exit code "
_SHOWN = 30_000  #: characters of a command's output that the model gets, the end mostly


class Tools:
    """The tools for one brief."""

    def __init__(self, brief: Brief) -> None:
        self._brief = brief

    def offered(self) -> Sequence[Callable[..., Awaitable[str]]]:
        """What this brief's agent may call; a read-only one can look and nothing else."""
        looking = (self.list_files, self.read_file, self.search)
        if self._brief.read_only:
            return looking
        return (*looking, self.write_file, self.edit_file, self.run_command)

    async def list_files(self, path: str = ".", pattern: str = "*") -> str:
        """List the files under a folder of the repository.

        Args:
            path: Folder, relative to the repository's root.
            pattern: Shell pattern for the file's name or path, such as *.py.
        """
        return await self._file_tool(op="list_files", path=path, pattern=pattern)

    async def read_file(self, path: str, first_line: int = 1, lines: int = 2000) -> str:
        """Read a text file; each line is preceded by its number.

        Args:
            path: File, relative to the repository's root.
            first_line: The first line to show, counted from 1.
            lines: How many lines to show.
        """
        return await self._file_tool(op="read_file", path=path, first_line=first_line, lines=lines)

    async def search(self, regex: str, path: str = ".", pattern: str = "*") -> str:
        """Find the lines that match a Python regular expression.

        Args:
            regex: The expression.
            path: Folder or file to search in.
            pattern: Shell pattern for the names of the files.
        """
        return await self._file_tool(op="search", regex=regex, path=path, pattern=pattern)

    async def write_file(self, path: str, content: str) -> str:
        """Create a file or replace all of it.

        Args:
            path: File, relative to the repository's root; folders are made.
            content: The whole new content.
        """
        return await self._file_tool(op="write_file", path=path, content=content)

    async def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace a piece of a file.

        Args:
            path: File, relative to the repository's root.
            old: The text to replace; it must occur exactly once.
            new: The text to put there.
        """
        return await self._file_tool(op="edit_file", path=path, old=old, new=new)

    async def run_command(self, command: str, timeout_s: int = 120) -> str:
        """Run a shell command at the repository's root; nothing it starts outlives it.

        Args:
            command: A line for sh -c.
            timeout_s: Seconds after which it is ended.
        """
        brief = self._brief
        wall_s = max(1.0, min(float(timeout_s), brief.limits.command_s))
        ran = await brief.cage.run(
            command,
            workspace=brief.workspace,
            read_only=brief.protect,
            env=brief.env,
            limits=brief.limits.for_cage(wall_s=wall_s),
            network=brief.network,
        )
        return _told(ran)

    async def _file_tool(self, **request: object) -> str:
        try:
            return await file_tool(self._brief, **request)
        except FileToolError as problem:
            return f"error: {problem}"


class FileToolError(Exception):
    """A file operation that was not done; the text is for whoever asked for it."""


async def file_tool(brief: Brief, **request: object) -> str:
    """One operation of `inside/files.py` on the brief's checkout. Raises FileToolError."""
    ran = await brief.cage.run(
        [sys.executable, "-I", "-S", _script(brief)],
        workspace=brief.workspace,
        read_only=brief.protect,
        writable=not brief.read_only,
        limits=brief.limits.for_cage(wall_s=_FILE_TOOL_S),
        stdin=json.dumps(request).encode("utf-8", "surrogatepass"),
        binds=[Bind(host=_FILES, inside=f"{PARTS}/files.py")],
    )
    if not ran.ok:
        raise FileToolError(f"the tool ended with {ran.outcome}: {ran.text[-500:]}")
    said = json.loads(ran.stdout)
    if "text" not in said:
        raise FileToolError(said["error"])
    return str(said["text"])


def _script(brief: Brief) -> str:
    return f"{PARTS}/files.py" if brief.cage.program is not None else str(_FILES)


def exit_code_of(told: str) -> int | None:
    """How a command ended, by the first line of what `run_command` has told the model."""
    code = told.partition("\n")[0].removeprefix(_EXIT)
    return int(code) if told.startswith(_EXIT) and code.lstrip("-").isdecimal() else None


def _told(ran: Ran) -> str:
    ending = f"{_EXIT}{ran.exit_code}" if ran.outcome is Ending.EXITED else f"ended: {ran.outcome}"
    text = ran.text
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 4]}\n[...]\n{text[-_SHOWN * 3 // 4 :]}"
    return f"{ending}\n{text}"
