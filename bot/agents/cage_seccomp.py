"""A filter of system calls for what namespaces do not cover, as classic BPF (seccomp(2)).

Virtual-machine sockets (vsock(7)) and kernel keyrings (keyrings(7)) know no namespaces: a caged
program could talk to the hypervisor or read a key of the session that started us. io_uring can
open sockets past a filter. What is refused answers ENOSYS, for which runtimes have a fallback.
"""

import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_ENOSYS = 38
_EAFNOSUPPORT = 97
_FAMILIES = (1, 2, 10, 16)  #: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  #: in struct seccomp_data, little-endian


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Numbers of one architecture (linux/audit.h, asm/unistd.h)."""

    audit: int
    socket: int
    refused: Sequence[int]
    foreign_from: int = 0xFFFFFFFF  #: numbers of a second table (x32) start here


_IO_URING = (425, 426, 427)
_KEYS_X86, _KEYS_ARM = (248, 249, 250), (217, 218, 219)  #: add_key, request_key, keyctl
_MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        audit=0xC000003E,
        socket=41,
        # bpf, perf_event_open, userfaultfd, open_by_handle_at
        refused=(*_KEYS_X86, 321, 298, 323, 304, *_IO_URING),
        foreign_from=0x40000000,
    ),
    "aarch64": Machine(
        audit=0xC00000B7, socket=198, refused=(*_KEYS_ARM, 280, 241, 282, 265, *_IO_URING)
    ),
}


def call_filter(machine: str = "") -> bytes | None:
    """The program for bubblewrap's `--seccomp`; None for an architecture that we don't know."""
    known = _MACHINES.get(machine or platform.machine())
    return None if known is None else b"".join(_program(known))


def _program(machine: Machine) -> list[bytes]:
    """Each test is followed by its own answer, so that no jump is longer than a few words."""
    words = [
        _word(_LOAD, _ARCH_AT),
        _word(_EQUAL, machine.audit, yes=1),
        _word(_RETURN, _ERRNO | _ENOSYS),
        _word(_LOAD, _NUMBER_AT),
        _word(_AT_LEAST, machine.foreign_from, no=1),
        _word(_RETURN, _ERRNO | _ENOSYS),
    ]
    for number in machine.refused:
        words += [_word(_EQUAL, number, no=1), _word(_RETURN, _ERRNO | _ENOSYS)]
    words += [_word(_EQUAL, machine.socket, yes=1), _word(_RETURN, _ALLOW)]
    words += [_word(_LOAD, _FIRST_ARGUMENT_AT)]
    for family in _FAMILIES:
        words += [_word(_EQUAL, family, no=1), _word(_RETURN, _ALLOW)]
    return [*words, _word(_RETURN, _ERRNO | _EAFNOSUPPORT)]


def _word(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One `struct sock_filter`; `yes` and `no` are how many words to skip."""
    return struct.pack("<HBBI", code, yes, no, value)
