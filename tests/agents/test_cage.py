"""The cage is what it says: a real bubblewrap, and programs that try to get out or to stay."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.agents.cage import Cage
from bot.agents.cage_policy import Bind, CageLimits
from bot.agents.cage_run import Ending
from bot.errors import BadOutput, CageMissing

CANARY = "CANARY-d41d8cd9"


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


async def until(condition: Callable[[], bool], *, deadline_s: float = 10) -> bool:
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True


def processes_with(mark: str) -> list[str]:
    """Processes of this machine whose command line has `mark`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line and int(pid) != os.getpid():
            found.append(pid)
    return found


def own_oom_score() -> int:
    """What is added to our own use of memory when the kernel looks for somebody to end."""
    return int(Path("/proc/self/oom_score_adj").read_text())


async def test_a_command_runs_on_the_checkout_and_its_words_come_back(
    cage: Cage, checkout: Path
) -> None:
    ran = await cage.run("pwd; echo oops >&2; echo 1 > made; exit 3", workspace=checkout)
    assert (ran.exit_code, ran.outcome, ran.ok) == (3, Ending.EXITED, False)
    assert (ran.stdout, ran.stderr) == (b"/workspace\n", b"oops\n")
    assert (checkout / "made").read_text() == "1\n"


async def test_the_repository_s_own_tests_find_an_interpreter(cage: Cage, checkout: Path) -> None:
    ran = await cage.run("python -m pytest -q -p no:cacheprovider", workspace=checkout)
    assert ran.ok, ran.text
    assert "1 passed" in ran.text


async def test_when_memory_runs_out_the_kernel_ends_the_cage_before_us(
    cage: Cage, checkout: Path
) -> None:
    ran = await cage.run("cat /proc/self/oom_score_adj", workspace=checkout)
    assert int(ran.stdout) == min(1000, own_oom_score() + 500)


async def test_stdin_and_arguments_arrive_as_they_are(cage: Cage, checkout: Path) -> None:
    odd = "a b\n'\"$HOME\\ ü"
    ran = await cage.run(["printf", "%s", odd], workspace=checkout)
    assert ran.stdout.decode() == odd
    data = os.urandom(3_000_000)
    ran = await cage.run("sha256sum - | cut -c1-8; cat | wc -c", workspace=checkout, stdin=data)
    assert ran.ok


async def test_output_is_told_while_it_comes(cage: Cage, checkout: Path) -> None:
    heard: list[bytes] = []
    await cage.run("echo one; sleep 0.3; echo two", workspace=checkout, on_output=heard.append)
    assert heard == [b"one\n", b"two\n"]


# ── what can be seen ─────────────────────────────────────────────────────────────────────────


async def test_nothing_of_our_environment_gets_in(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_TEST_SECRET", CANARY)
    cage = await Cage.open()
    ran = await cage.run(
        "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'",
        workspace=checkout,
        env={"GIVEN": "yes"},
    )
    assert "GIVEN=yes" in ran.text
    assert CANARY not in ran.text


async def test_files_of_the_host_are_not_there(cage: Cage, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    home = Path.home() / f".chimera-canary-{os.getpid()}"
    home.write_text(CANARY)
    try:
        ran = await cage.run(
            f"cat {tmp_path}/secret {home} /etc/shadow; ls -A /home /var /root/.ssh; "
            f"ln -s {tmp_path}/secret l; cat l; cat /proc/1/root{tmp_path}/secret; "
            "ls /proc/*/fd/ -l; grep -rs CANARY /tmp /run /etc /dev/shm",
            workspace=checkout,
        )
    finally:
        home.unlink()
    assert CANARY not in ran.text
    assert "cannot access '/var'" in ran.text


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /x", "touch /usr/x", "touch /etc/x", "touch /dev/x", "touch .git/config",
        "rm -rf .git", "mv .git git", "ln -sfn /etc .git", "touch kept/a", "rm -rf kept",
        "mv kept other", "mount -t tmpfs x kept", "unshare -Ur true", "chroot / true",
        "umount /workspace/kept", "mknod d b 8 0", "nsenter -t 1 -m true", "kill -9 1",
        "cd /proc/sys/kernel; cat core_pattern > core_pattern",
        "echo > /proc/sysrq-trigger", "echo 2 > /proc/sys/vm/drop_caches",
    ],
)  # fmt: skip
async def test_a_caged_program_cannot(cage: Cage, checkout: Path, attempt: str) -> None:
    (checkout / "kept").mkdir()
    (checkout / "kept" / "a").write_text("as it was")
    before = (checkout / ".git" / "config").read_bytes()
    ran = await cage.run(
        f"({attempt}) || echo REFUSED; kill -0 1 && echo ALIVE",
        workspace=checkout,
        read_only=["kept"],
    )
    assert "REFUSED" in ran.text or attempt == "kill -9 1", ran.text
    assert "ALIVE" in ran.text
    assert (checkout / "kept" / "a").read_text() == "as it was"
    assert (checkout / ".git" / "config").read_bytes() == before


async def test_a_read_only_run_writes_nothing(cage: Cage, checkout: Path) -> None:
    ran = await cage.run("touch x", workspace=checkout, writable=False)
    assert "Read-only file system" in ran.text


@pytest.mark.parametrize("name", ["link", "folder/link", "../checkout", "/etc"])
async def test_a_protected_path_that_is_a_link_or_outside_is_refused(
    cage: Cage, checkout: Path, name: str
) -> None:
    (checkout / "link").symlink_to("/etc")
    (checkout / "folder").mkdir()
    (checkout / "folder" / "link").symlink_to("/")
    with pytest.raises(BadOutput):
        await cage.run("true", workspace=checkout, read_only=[name])


async def test_a_bind_is_read_only_unless_it_is_said(
    cage: Cage, checkout: Path, tmp_path: Path
) -> None:
    for name in ("seen", "open"):
        (tmp_path / name).mkdir()
    await cage.run(
        "touch /run/seen/x; touch /run/open/x",
        workspace=checkout,
        binds=[
            Bind(host=tmp_path / "seen", inside="/run/seen"),
            Bind(host=tmp_path / "open", inside="/run/open", writable=True),
        ],
    )
    assert os.listdir(tmp_path / "seen") == []
    assert os.listdir(tmp_path / "open") == ["x"]


async def test_git_reads_the_history_of_a_clone_that_borrows_its_objects(
    cage: Cage, checkout: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", "--shared", str(checkout), str(clone))
    ran = await cage.run("git log --format=%s && git diff --stat HEAD", workspace=clone)
    assert ran.ok, ran.text
    assert ran.stdout == b"first\n"
    ran = await cage.run(f"touch {checkout}/.git/objects/x", workspace=clone)
    assert "Read-only file system" in ran.text


# ── the network ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    """A server on the host's loopback that says the canary."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CANARY.encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_host_s_loopback_the_metadata_service_and_names_are_out_of_reach(
    cage: Cage, checkout: Path, listener: int
) -> None:
    script = f"""
import socket
import subprocess
for place in [("127.0.0.1", {listener}), ("169.254.169.254", 80), ("1.1.1.1", 53)]:
    try:
        print(socket.create_connection(place, 2).recv(99))
    except OSError as refused:
        print("refused", refused)
try:
    print(socket.getaddrinfo("example.com", 80))
except OSError as refused:
    print("refused", refused)
print(sorted(name for _, name in socket.if_nameindex()))
"""
    ran = await cage.run(["python", "-c", script], workspace=checkout)
    assert ran.text.lower().count("refused") == 5, ran.text  # one is "Connection refused"
    assert CANARY not in ran.text
    assert "['lo']" in ran.text


async def test_abstract_unix_sockets_of_the_host_are_out_of_reach(
    cage: Cage, checkout: Path
) -> None:
    name = f"\0chimera-canary-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        ran = await cage.run(["python", "-c", script], workspace=checkout)
    assert "ConnectionRefusedError" in ran.text


async def test_what_no_namespace_covers_is_refused_by_the_call_filter(
    cage: Cage, checkout: Path
) -> None:
    script = """
import ctypes, os, socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    socket.socket(family, socket.SOCK_DGRAM).close()
for family in (40, 38, 17):  # vsock, the kernel's crypto, raw packets
    try:
        print("opened", socket.socket(family, socket.SOCK_STREAM))
    except OSError as refused:
        print(refused.errno)
libc = ctypes.CDLL(None, use_errno=True)
for number in {"x86_64": (250, 321, 425), "aarch64": (219, 280, 425)}[os.uname().machine]:
    print(libc.syscall(number, 0, 0, 0, 0, 0), ctypes.get_errno())
"""
    ran = await cage.run(["python", "-c", script], workspace=checkout)
    assert ran.text.split() == ["97"] * 3 + ["-1", "38"] * 3


async def test_a_server_and_its_client_meet_on_the_cage_s_own_loopback(
    cage: Cage, checkout: Path
) -> None:
    ran = await cage.run(
        "python -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1 & "
        "for i in $(seq 100); do "
        "python -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/greet.py')"
        '.read().decode())" 2>/dev/null && exit 0; sleep 0.1; done; exit 1',
        workspace=checkout,
    )
    assert ran.ok, ran.text
    assert "def greet" in ran.text


# ── limits and the end ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "limits", "ending"),
    [
        ("sleep 60", CageLimits(wall_s=0.3), Ending.TIMEOUT),
        ("trap '' TERM INT HUP; sleep 60 & wait; sleep 60", CageLimits(wall_s=0.3), Ending.TIMEOUT),
        ("echo start; sleep 60", CageLimits(idle_s=0.3), Ending.IDLE),
        ("while :; do :; done", CageLimits(cpu_s=0.5), Ending.CPU),
        ("sleep 60", CageLimits(spare_disk_mb=10**9), Ending.DISK),
        ("yes", CageLimits(), Ending.OUTPUT_LIMIT),
        ("head -c 5000000000 /dev/zero", CageLimits(), Ending.OUTPUT_LIMIT),
        ("kill -9 $$", CageLimits(), Ending.KILLED),
        ("python -c 'x = bytearray(400_000_000); import time; time.sleep(60)'",
         CageLimits(memory_mb=200), Ending.MEMORY),
    ],
)  # fmt: skip
async def test_every_limit_ends_a_run_and_has_its_name(
    cage: Cage, checkout: Path, command: str, limits: CageLimits, ending: Ending
) -> None:
    ran = await cage.run(command, workspace=checkout, limits=limits)
    assert ran.outcome is ending
    assert not ran.ok
    assert ran.exit_code is None
    assert ran.duration_ms < 10_000
    assert len(ran.output) < 2_000_000


async def test_a_long_output_keeps_its_beginning_and_its_end(cage: Cage, checkout: Path) -> None:
    ran = await cage.run(
        "echo first; head -c 9000000 /dev/zero; echo; echo last", workspace=checkout
    )
    assert ran.ok
    assert ran.truncated
    assert ran.output.startswith(b"first\n")
    assert ran.output.endswith(b"\nlast\n")
    assert b"bytes left out" in ran.output
    assert len(ran.output) < 1_100_000


async def test_output_that_is_no_text_is_still_readable(cage: Cage, checkout: Path) -> None:
    ran = await cage.run(["printf", r"\377\376ok\000"], workspace=checkout)
    assert "ok" in ran.text


async def test_a_file_cannot_grow_without_end(cage: Cage, checkout: Path) -> None:
    ran = await cage.run(
        "head -c 9000000 /dev/zero > big", workspace=checkout, limits=CageLimits(file_mb=1)
    )
    assert not ran.ok
    assert (checkout / "big").stat().st_size <= 1024 * 1024


async def test_the_private_tmp_is_bounded_too(cage: Cage, checkout: Path) -> None:
    ran = await cage.run(
        "for i in 1 2 3 4; do head -c 9000000 /dev/zero > /tmp/$i || exit 9; done",
        workspace=checkout,
        limits=CageLimits(memory_mb=20),
    )
    assert ran.exit_code == 9
    assert "No space left" in ran.text


async def test_a_fork_bomb_is_bounded_and_over_when_the_run_is(cage: Cage, checkout: Path) -> None:
    mark = f"bomb-{os.getpid()}"
    ran = await cage.run(
        ["bash", "-c", f": {mark}; b() {{ b | b & }}; b; sleep 60"],
        workspace=checkout,
        limits=CageLimits(pids=64, wall_s=3),
    )
    assert ran.outcome in (Ending.TIMEOUT, Ending.PIDS)
    assert ran.duration_ms < 15_000
    assert processes_with(mark) == []


@pytest.mark.parametrize(
    "command",
    [
        "setsid sleep {n} &",
        "(setsid sh -c 'sleep {n} & sleep {n}' &) ; sleep 0.1",
        "nohup sleep {n} >/dev/null 2>&1 & disown -a 2>/dev/null; true",
        "python -c 'import os\nfor _ in range(3):\n  if os.fork(): os._exit(0)\n  os.setsid()\n"
        'os.execvp("sleep", ["sleep", "{n}"])\'; sleep 0.2',
    ],
)
@pytest.mark.parametrize("ends", ["by itself", "by a limit", "by cancelling"])
async def test_nothing_outlives_a_run(cage: Cage, checkout: Path, command: str, ends: str) -> None:
    mark = str(7_000_000 + os.getpid())
    line = command.format(n=mark) + ("" if ends == "by itself" else "\nsleep 50")
    run = asyncio.create_task(
        cage.run(line, workspace=checkout, limits=CageLimits(wall_s=0.6 if "limit" in ends else 60))
    )
    if ends == "by cancelling":
        assert await until(lambda: bool(processes_with(mark)))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    else:
        await run
    assert processes_with(mark) == []


async def test_a_run_that_is_cancelled_while_it_starts_leaves_nothing(
    cage: Cage, checkout: Path
) -> None:
    mark = str(8_000_000 + os.getpid())
    descriptors = len(os.listdir("/proc/self/fd"))
    for step in range(25):
        run = asyncio.create_task(cage.run(f"setsid sleep {mark} & sleep 50", workspace=checkout))
        for _ in range(step):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert processes_with(mark) == []
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


async def test_a_hundred_runs_leave_no_descriptor_open(cage: Cage, checkout: Path) -> None:
    await cage.run("true", workspace=checkout)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await asyncio.gather(*(cage.run("true", workspace=checkout) for _ in range(20)))
    assert len(os.listdir("/proc/self/fd")) <= before + 1


# ── no cage ──────────────────────────────────────────────────────────────────────────────────


async def test_a_cage_that_does_not_work_says_how_to_get_one(checkout: Path) -> None:
    broken = checkout / "bwrap"
    broken.write_text("#!/bin/sh\necho no namespaces for you >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(CageMissing, match=r"no namespaces for you(.|\n)*apt install bubblewrap"):
        await Cage.open(programs=[broken])
    with pytest.raises(CageMissing, match="was not found"):
        await Cage.open(programs=[])


async def test_none_is_named_and_runs_where_the_checkout_is(checkout: Path) -> None:
    cage = await Cage.open("none")
    assert cage.describe().startswith("none")
    ran = await cage.run("pwd; setsid sleep 60 & exit 4", workspace=checkout)
    assert ran.exit_code == 4
    assert ran.stdout.decode().strip() == str(checkout)


def test_an_unknown_kind_of_cage_is_refused() -> None:
    with pytest.raises(ValueError, match="cardboard"):
        asyncio.run(Cage.open("cardboard"))
