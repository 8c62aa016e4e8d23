"""The cage without its processes: what a test command would find out, from the files themselves.

An end-to-end test of a page passes where the page says what the test wants to read: in the
checkout, or in what is deployed at the address that it is given.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.agents.cage import Cage
from bot.agents.cage_policy import Bind, CageLimits, WayOut
from bot.agents.cage_run import Ending, Ran

_WANTED = re.compile(rb'"/(page\d+)"\) as answer:\n.*?, "([^"\\]+)', re.DOTALL)

FilesOf = Callable[[Path], Mapping[str, bytes]]  #: what lies in a checkout
FilesAt = Callable[[str], Mapping[str, bytes]]  #: what is deployed at an address


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCage(Cage):
    """Answers for the commands of the sample repository; nothing is started."""

    files_of: FilesOf
    files_at: FilesAt

    async def run(
        self,
        command: Sequence[str] | str,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        limits: CageLimits | None = None,
        read_only: Sequence[str] = (),
        writable: bool = True,
        stdin: bytes | None = None,
        binds: Sequence[Bind] = (),
        network: Sequence[WayOut] = (),
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ran:
        files = self.files_of(workspace)
        if isinstance(command, str):
            return _tested(files, self.files_at((env or {})["E2E_BASE_URL"]))
        report, test, served = Path(command[3]), command[4], len(command) > 5
        if "tests/e2e" in test:
            ran = _tested(files, files)
        else:
            ran = _ran(0, "Ran 3 tests in 0.001s\n\nOK\n")
        _report(report, served=served)
        return ran


def _report(path: Path, *, served: bool) -> None:
    told = {"ready": served or None, "connections": 1 if served else None}
    path.write_text(json.dumps(told))


def _tested(tests: Mapping[str, bytes], site: Mapping[str, bytes]) -> Ran:
    wanted = [
        _WANTED.search(text) for path, text in tests.items() if path.startswith("tests/e2e/test_")
    ]
    pages = [(match[1].decode(), match[2]) for match in wanted if match is not None]
    red = [page for page, says in pages if site.get(f"pages/{page}.txt", b"").strip() != says]
    told = "".join(f"FAIL: {page}\nAssertionError: the page says something else\n" for page in red)
    end = f"FAILED (failures={len(red)})" if red else "OK"
    return _ran(1 if red else 0, f"{told}Ran {len(pages)} tests in 0.001s\n\n{end}\n")


def _ran(code: int, text: str) -> Ran:
    said = text.encode()
    return Ran(
        exit_code=code,
        outcome=Ending.EXITED,
        output=said,
        stdout=said,
        stderr=b"",
        truncated=False,
        duration_ms=1,
    )
