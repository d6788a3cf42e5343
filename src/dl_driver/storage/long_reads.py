# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads longer than the kernel's limit of one read, as parts one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

from dl_driver.storage.base import Completion, Read, ReadQueue

LONGEST = 0x7FFFF000
"""Bytes that Linux reads at once, at most (read(2)); io_uring has no other limit."""
_PART = 1 << 30


@dataclass(slots=True)
class _Long:
    """A read whose parts are being read."""

    read: Read
    part_bytes: int
    submitted_ns: int | None = None
    first_byte_ns: int | None = None
    arrived: int = 0

    def next_part(self) -> Read:
        """The part after what has arrived."""
        read, done = self.read, self.arrived
        length = min(self.part_bytes, read.length - done)
        address = read.address + done if read.address else 0
        into = read.into[done : done + length]
        return Read(read.key, read.offset + done, length, into, read.tag, read.session, address)


class LongReads:
    """A ReadQueue that takes reads of any length."""

    def __init__(self, queue: ReadQueue, longest: int = LONGEST, part_bytes: int = _PART) -> None:
        """Reads of more than ``longest`` bytes are made in parts of ``part_bytes``."""
        self._queue, self._longest, self._part_bytes = queue, longest, part_bytes
        self._long: dict[int, _Long] = {}
        """By tag."""
        self._to_release: set[int] = set()
        """Sessions to be released when their long reads are over."""
        self.report, self.close, self.spreads = queue.report, queue.close, queue.spreads

    @property
    def woken(self) -> bool:
        """See ReadQueue."""
        return self._queue.woken

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        self._queue.submit([self._first_part(read) if self._is_long(read) else read for read in reads])

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue; may return nothing before the time is over, where only a part arrived."""
        completions = self._queue.wait(timeout_ns)
        if not self._long:
            return completions
        ended = []
        for completion in completions:
            long = self._long.get(completion.tag)
            whole = completion if long is None else self._take_part(long, completion)
            if whole is not None:
                ended.append(whole)
        return ended

    def release(self, session: int) -> None:
        """See ReadQueue."""
        if any(long.read.session == session for long in self._long.values()):
            self._to_release.add(session)
        else:
            self._queue.release(session)

    def _is_long(self, read: Read) -> bool:
        """The spans of a spread are requests of their own."""
        return read.length > self._longest and read.spread is None

    def _first_part(self, read: Read) -> Read:
        long = self._long[read.tag] = _Long(read, self._part_bytes)
        return long.next_part()

    def _take_part(self, long: _Long, part: Completion) -> Completion | None:
        """The completion of the whole read, with its last part."""
        if long.submitted_ns is None:
            long.submitted_ns, long.first_byte_ns = part.submitted_ns, part.first_byte_ns
        expected = long.next_part().length
        long.arrived += part.length
        if part.error is None and part.length == expected and long.arrived < long.read.length:
            self._queue.submit([long.next_part()])
            return None
        del self._long[part.tag]
        session = long.read.session
        if session in self._to_release:
            self._to_release.discard(session)
            self.release(session)
        length = 0 if part.error else long.arrived
        return Completion(part.tag, length, long.submitted_ns, long.first_byte_ns, part.done_ns, part.error)
