"""Keeps the beginning and the end of what a program prints, whatever it prints."""

from collections import deque
from enum import IntEnum

CHUNK = 64 * 1024


class Stream(IntEnum):
    """Where a piece of output came from, by its descriptor."""

    STDOUT = 1
    STDERR = 2


class Capture:
    """The first and the last half of `keep` bytes of both streams, in order of arrival."""

    def __init__(self, keep: int) -> None:
        self._half = max(keep // 2, 1)
        self._head: list[tuple[Stream, bytes]] = []
        self._head_size = 0
        self._tail: deque[tuple[Stream, bytes]] = deque()
        self._tail_size = 0
        self.total = 0  #: bytes seen

    @property
    def left_out(self) -> int:
        """Bytes that were seen and are not kept."""
        return self.total - self._head_size - self._tail_size

    def add(self, stream: Stream, data: bytes) -> None:
        """Takes in `data`; memory stays below `keep` plus one chunk."""
        self.total += len(data)
        room = self._half - self._head_size
        if room > 0:
            self._head.append((stream, data[:room]))
            self._head_size += min(room, len(data))
            data = data[room:]
        if data:
            self._tail.append((stream, data[-self._half :]))
            self._tail_size += len(self._tail[-1][1])
            self._trim()

    def text_of(self, *streams: Stream) -> bytes:
        """What is kept of `streams`, with a line that says how much is missing."""
        head = b"".join(data for stream, data in self._head if stream in streams)
        tail = b"".join(data for stream, data in self._tail if stream in streams)
        if not self.left_out:
            return head + tail
        return head + f"\n[... {self.left_out} bytes left out ...]\n".encode() + tail

    def _trim(self) -> None:
        while self._tail_size > self._half:
            stream, oldest = self._tail.popleft()
            excess = self._tail_size - self._half
            if len(oldest) > excess:
                self._tail.appendleft((stream, oldest[excess:]))
                self._tail_size -= excess
            else:
                self._tail_size -= len(oldest)
