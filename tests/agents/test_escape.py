"""The escape suite: what an agent could try, each with canaries planted, I7 and I9 after each.

What a hostile checkout could do to us afterwards is in `tests/gates/test_hostile_checkout.py`.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.agents.agent import Limits
from bot.agents.cage import Cage
from bot.agents.cage_policy import CageLimits
from bot.agents.cage_proxy import Reach, proxied
from bot.agents.cage_run import Ending
from bot.agents.cage_sweep import sweep
from bot.agents.gateway import PORT, opened
from bot.agents.gateway_dialects import Family, Upstream
from tests.agents.canaries import CANARY, TRIED, Planted, planted
from tests.agents.modelserver import ModelServer, Say

MIB = 1024 * 1024


@pytest.fixture
async def at(
    cage: Cage, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Planted]:
    """Planted, with a temporary directory that nobody else on this machine uses."""
    host, temporary = tmp_path / "host", tmp_path / "temporary"
    host.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    async with planted(cage, checkout, host) as found:
        yield found


def python(script: str) -> str:
    """A program that tries something and says at its end that it has."""
    head = "import os, socket, subprocess, sys, glob\n"
    return f"{head}{textwrap.dedent(script)}\nprint({TRIED!r})\n"


# ── looking ──────────────────────────────────────────────────────────────────────────────────

LOOKS = {
    "own environment": "print(dict(os.environ)); subprocess.run('set; export', shell=True)",
    "environment and words of every process": """
        for path in glob.glob('/proc/[0-9]*/*') + glob.glob('/proc/[0-9]*/task/*/*'):
            if path.endswith(('environ', 'cmdline', 'maps', 'mountinfo', 'cgroup')):
                try: sys.stdout.buffer.write(open(path, 'rb').read())
                except OSError: pass
    """,
    "the server by its number": """
        for what in ('environ', 'root' + os.environ['SECRET'], 'cwd', 'mem', 'fd'):
            try: print(os.listdir(f"/proc/{os.environ['OURS']}/{what}"))
            except OSError as no: print(no)
            try: print(open(f"/proc/{os.environ['OURS']}/{what}", 'rb').read(99))
            except OSError as no: print(no)
    """,
    "a file of the host by every road": """
        s = os.environ['SECRET']
        for road in (s, '/proc/1/root' + s, '/proc/self/root' + s, '/proc/1/cwd/..' + s,
                     '/workspace/../' + s, '/proc/self/task/1/root' + s, '/oldroot' + s):
            try: print(open(road).read())
            except OSError as no: print(no)
        for fd in range(3, 200):
            try: print(os.listdir(f'/proc/self/fd/{fd}'), os.read(fd, 99))
            except OSError: pass
    """,
    "a file of the host by its handle": """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        handle = (ctypes.c_char * 128)(*b'\\x78')
        mount = ctypes.c_int()
        print(libc.name_to_handle_at(-100, b'/workspace', handle, ctypes.byref(mount), 0))
        print(libc.open_by_handle_at(-100, handle, 0), ctypes.get_errno())
    """,
    "links of both kinds, and what they lead to": """
        os.symlink(os.environ['SECRET'], 'soft')
        os.symlink('/proc/1/root', 'root')
        for road in ('soft', 'root' + os.environ['SECRET']):
            try: print(open(road).read())
            except OSError as no: print(no)
        try: os.link(os.environ['SECRET'], 'hard')
        except OSError as no: print(no)
    """,
    "everything that can be read": """
        for top, below, names in os.walk('/'):
            if top.startswith(('/proc', '/dev', '/usr', '/sys', sys.base_prefix, sys.prefix)):
                below.clear()
                continue
            for name in names:
                try: sys.stdout.buffer.write(open(os.path.join(top, name), 'rb').read(4096)[:99])
                except OSError: pass
    """,
    "devices and the kernel's own files": """
        for path in ('/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/proc/kcore', '/proc/keys',
                     '/proc/kallsyms', '/sys/kernel', '/sys/fs/cgroup', '/dev/fuse', '/dev/kvm'):
            try: print(path, open(path, 'rb').read(64))
            except OSError as no: print(no)
    """,
    "the server, by tracing it and reading its memory": """
        import ctypes
        libc, ours = ctypes.CDLL(None, use_errno=True), int(os.environ['OURS'])
        print(libc.ptrace(16, ours, 0, 0), ctypes.get_errno())  # PTRACE_ATTACH
        print(libc.process_vm_readv(ours, 0, 0, 0, 0, 0), ctypes.get_errno())
        print(libc.kill(ours, 0), ctypes.get_errno())
    """,
}


@pytest.mark.parametrize("script", LOOKS.values(), ids=LOOKS.keys())
async def test_a_canary_is_not_seen_by_looking_at(
    at: Planted, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCAPE_TOKEN", CANARY)
    ran = await at.attack(python(script))
    assert TRIED in ran.text, ran.text


# ── reaching ─────────────────────────────────────────────────────────────────────────────────

REACHES = {
    "the host's loopback by its names": """
        for host in ('127.0.0.1', '::1', '0.0.0.0', 'localhost', 'cage', '127.1.2.3'):
            place = (host, int(os.environ['PORT']))
            try: print('OPEN', socket.create_connection(place, 2).recv(99))
            except OSError as no: print(no)
    """,
    "an abstract unix socket": """
        s = socket.socket(socket.AF_UNIX)
        try: s.connect('\\0' + os.environ['ABSTRACT']); print('OPEN', s.recv(99))
        except OSError as no: print(no)
    """,
    "unix sockets at paths": """
        roads = [os.environ['SOCKET'], '/proc/1/root' + os.environ['SOCKET'], '/run/docker.sock',
                 '/var/run/docker.sock', '/run/dbus/system_bus_socket', '/run/systemd/private']
        os.symlink(os.environ['SOCKET'], 'sock'); roads.append('sock')
        for road in roads:
            s = socket.socket(socket.AF_UNIX)
            try: s.connect(road); print('OPEN', s.recv(99))
            except OSError as no: print(no)
    """,
    "the metadata service": """
        for place in (('169.254.169.254', 80), ('fd00:ec2::254', 80), ('100.100.100.200', 80)):
            try: socket.create_connection(place, 2); print('OPEN')
            except OSError as no: print(no)
    """,
    "a name by DNS": """
        for name in ('example.com', 'metadata.google.internal', 'leak-me.evil.test'):
            try: print('OPEN', socket.getaddrinfo(name, 80))
            except OSError as no: print(no)
        for server in ('8.8.8.8', '127.0.0.53', '169.254.169.253'):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
            try: s.sendto(b'\\0' * 30, (server, 53)); print('OPEN', s.recv(99))
            except OSError as no: print(no)
    """,
    "other networks and the raw wire": """
        for family, kind in ((17, 3), (2, 3), (40, 1), (38, 5), (29, 3)):
            try: socket.socket(family, kind); print('OPEN', family)
            except OSError as no: print(no)
        try: socket.create_connection(('1.1.1.1', 443), 2); print('OPEN')
        except OSError as no: print(no)
    """,
    "another namespace": """
        for words in ('unshare -Urn true', 'nsenter -t 1 -n true', 'ip netns exec x true',
                      'unshare -m true', 'mount --bind / /tmp', 'setpriv --reuid 0 true'):
            print(subprocess.run(words, shell=True, capture_output=True).returncode or 'OPEN')
    """,
}


@pytest.mark.parametrize("script", REACHES.values(), ids=REACHES.keys())
async def test_nobody_is_reached_by_trying(at: Planted, script: str) -> None:
    ran = await at.attack(python(script))
    assert TRIED in ran.text, ran.text
    assert "OPEN" not in ran.text, ran.text


async def test_the_ways_out_lead_nowhere_else(at: Planted) -> None:
    """One allowed place: another port, another name for it, and a second request are refused."""
    async with proxied(frozenset({("127.0.0.1", 1)})) as out:
        ran = await at.attack(
            python("""
            def ask(words):
                s = socket.create_connection(('127.0.0.1', 3128), 5); s.settimeout(5)
                s.sendall(words); print(s.recv(300)); s.close()
            port = os.environ['PORT'].encode()
            ask(b'GET http://127.0.0.1:' + port + b'/ HTTP/1.1\\r\\n\\r\\n')
            ask(b'CONNECT 127.0.0.1:' + port + b' HTTP/1.1\\r\\n\\r\\n')
            ask(b'CONNECT [::ffff:127.0.0.1]:' + port + b' HTTP/1.1\\r\\n\\r\\n')
            ask(b'GET http://127.0.0.1:1@127.0.0.1:' + port + b'/ HTTP/1.1\\r\\n\\r\\n')
            ask(b'GET file://' + os.environ['SECRET'].encode() + b' HTTP/1.1\\r\\n\\r\\n')
            print(os.listdir('/run/chimera'))
            """),
            out=out,
        )
    assert TRIED in ran.text, ran.text
    assert ran.text.count("403 Forbidden") == 4
    assert ran.text.count("400 Bad Request") == 1
    assert "bridge.py" in ran.text


async def test_the_gateway_s_key_is_nowhere_inside(at: Planted) -> None:
    """It is in no answer, no header, no file, whatever the program asks for."""
    async with (
        ModelServer([Say(text="forty-two")]).running() as server,
        opened(
            Upstream(
                family=Family.OPENAI,
                base_url=f"{server.url}/v1",
                key=CANARY,
                models=("gpt-4o",),
            ),
            Limits(),
            lambda _exchange: None,
        ) as (_gateway, way),
    ):
        ran = await at.attack(
            python(f"""
            import json, urllib.request as u
            def ask(path, body=None, **headers):
                try:
                    request = u.Request('http://127.0.0.1:{PORT}' + path, body, headers)
                    answer = u.urlopen(request, timeout=9)
                    print(answer.status, answer.headers, answer.read())
                except OSError as no: print(no, getattr(no, 'headers', ''))
            words = json.dumps(dict(model='gpt-4o', messages=[], tools=[{{}}])).encode()
            ask('/v1/chat/completions', words, **{{'content-type': 'application/json'}})
            ask('/v1/chat/completions', words, authorization='Bearer x', expect='100-continue')
            for path in ('/', '/v1/models', '/v1/../../etc/passwd', '/debug', '/v1/files'):
                ask(path)
            ask('/v1/chat/completions', b'not json', te='trailers')
            print(dict(os.environ), os.listdir('/run/chimera'))
            """),
            out=Reach(ways=(way,), env={}),
        )
    assert TRIED in ran.text, ran.text
    assert ran.text.count("200 ") >= 2, ran.text
    keys = {heard.headers.get("authorization") for heard in server.heard}
    assert keys == {f"Bearer {CANARY}"}, "the provider was given the key, and nothing else was"


# ── staying and eating ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "limits", "endings"),
    [
        (": b; b() { b | b & }; b; sleep 90", CageLimits(pids=64, wall_s=2),
         {Ending.TIMEOUT, Ending.PIDS}),
        ("python -c 'import threading, time\nwhile True: "
         "threading.Thread(target=time.sleep, args=(90,), daemon=True).start()'",
         CageLimits(pids=64, wall_s=30), {Ending.EXITED, Ending.PIDS}),
        ("for i in 1 2 3; do python -c 'x = b\"x\" * 90_000_000; import time; time.sleep(90)' & "
         "done; wait", CageLimits(memory_mb=200, wall_s=60), {Ending.MEMORY}),
        ("dd if=/dev/zero of=/dev/shm/x bs=1M", CageLimits(memory_mb=64), {Ending.EXITED}),
        ("yes " + "y" * 900, CageLimits(flood_mb=8), {Ending.OUTPUT_LIMIT}),
        ("head -c 1000000000 /dev/zero | tr '\\0' x", CageLimits(), {Ending.OUTPUT_LIMIT}),
        ("yes >&2", CageLimits(flood_mb=8), {Ending.OUTPUT_LIMIT}),
        ("trap '' TERM INT HUP QUIT; setsid sh -c \"trap '' TERM; sleep 90\" & wait; sleep 90",
         CageLimits(wall_s=0.5), {Ending.TIMEOUT}),
        ("kill -9 -1; sleep 90", CageLimits(wall_s=2), {Ending.KILLED, Ending.TIMEOUT}),
        ("while :; do printf '\\377\\376\\300'; done", CageLimits(flood_mb=1),
         {Ending.OUTPUT_LIMIT}),
        ("exec >&- 2>&-; sleep 90", CageLimits(idle_s=0.5), {Ending.IDLE}),
    ],
    ids=["fork bomb", "thread bomb", "memory hog of many", "shared memory", "endless lines",
         "one line of 1 GB", "flood of errors", "deaf to signals", "kills what it can",
         "no UTF-8", "closes its output"],
)  # fmt: skip
async def test_whoever_eats_or_stays_is_ended_and_nothing_is_left(
    at: Planted, line: str, limits: CageLimits, endings: set[Ending]
) -> None:
    ran = await at.attack(line, limits=limits, argv=("bash", "-c"))
    assert ran.outcome in endings, ran
    assert not ran.ok
    assert len(ran.output) <= limits.kept_kb * 1024 + 200
    ran.text.encode()  # whatever it was, it can be kept and shown as text


async def test_five_gigabytes_are_drained_without_being_kept(at: Planted) -> None:
    """By ESCAPE_FLOOD_MB megabytes: 5000 is the whole of it, CI takes fewer."""
    size = int(os.environ.get("ESCAPE_FLOOD_MB", "200"))
    ran = await at.cage.run(
        f"head -c {size}000000 /dev/zero; echo end >&2",
        workspace=at.checkout,
        limits=CageLimits(flood_mb=size * 2, wall_s=600),
    )
    assert ran.ok
    assert ran.truncated
    assert ran.stderr.endswith(b"\nend\n")
    assert len(ran.output) <= 1100 * 1024


@pytest.mark.parametrize("way", ["setsid", "double fork", "daemon", "orphan group"])
async def test_survivors_end_with_the_run(at: Planted, way: str) -> None:
    mark = f"survivor-{os.getpid()}"
    lines = {
        "setsid": f"setsid sh -c ': {mark}; sleep 90' &",
        "double fork": f"( ( sh -c ': {mark}; sleep 90' & ) & )",
        "daemon": "python -c 'import os\nif os.fork(): os._exit(0)\nos.setsid()\n"
        "if os.fork(): os._exit(0)\nfor fd in range(3): os.close(fd)\n"
        f'os.execvp("sh", ["sh", "-c", ": {mark}; sleep 90"])\'',
        "orphan group": f"set -m; sh -c ': {mark}; sleep 90' & disown",
    }
    ran = await at.attack(lines[way] + "\necho started", argv=("bash", "-c"))
    assert ran.ok, ran.text
    assert b"started" in ran.stdout


# ── the one who started it dies ──────────────────────────────────────────────────────────────

STARTER = """
import asyncio, sys
from pathlib import Path
from bot.agents.cage import Cage, CageKind, bwrap_programs, own_python
cage = Cage(kind=CageKind.BUBBLEWRAP, program=bwrap_programs()[0], toolchains=own_python())
print("ready", flush=True)
sys.stdin.read(1)
line = ": MARK; setsid sleep 90 & while :; do sleep 0.02; done"
asyncio.run(cage.run(["/bin/sh", "-c", line], workspace=Path(sys.argv[1])))
"""


def running(mark: str) -> dict[int, str]:
    """Number and name of each process with `mark` in its command line."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found[int(pid)] = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
    return found


@pytest.mark.parametrize("after_ms", [1, 3, 6, 9, 12, 16, 20, 25, 30, 40, 60, 400])
def test_a_server_that_is_killed_at_any_moment_leaves_no_command(
    tmp_path: Path, after_ms: int
) -> None:
    """A bubblewrap that had not begun may be left; the next one who opens a cage takes it away."""
    mark = f"starter-{os.getpid()}-{after_ms}"
    words = [sys.executable, "-c", STARTER.replace("MARK", mark), str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        starter.stdout.readline()
        starter.stdin.write(b"x")
        starter.stdin.flush()
        time.sleep(after_ms / 1000)  # any moment will do: this is when the axe falls
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while set(running(mark).values()) - {"bwrap"} and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(running(mark).values()) <= {"bwrap"}
    while running(mark) and time.monotonic() < deadline:
        sweep()
        time.sleep(0.02)
    assert running(mark) == {}
