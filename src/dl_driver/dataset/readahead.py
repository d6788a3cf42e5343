# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects read from their beginning to their end, one after another, with several reads under way.

Reads go on into the next objects while the bytes of one are looked at, so small objects far away come as fast as large
ones. Memory is a few windows, however long an object is.
"""

import mmap
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dl_driver.errors import StorageError
from dl_driver.storage.base import Read, ReadQueue, Storage

_DEPTH = 8
_WINDOW_BYTES, _REMOTE_WINDOW_BYTES = 1 << 20, 4 << 20
_PAGE = 4096


class Wanted(NamedTuple):
    """An object to be read."""

    key: str
    size: int | None
    """Bytes that it should have; one more is asked for, which shows whether it ends there. None: not known, so that
    the storage is asked."""
    at_most: int
    """As ``size``, or a bound of it."""


class Window(NamedTuple):
    """Bytes of an object, which follow those before; valid until the next window is asked for."""

    offset: int
    data: memoryview


@dataclass(slots=True)
class _Step:
    """A read, from when it is planned until its bytes were looked at."""

    number: int
    """Of the object."""
    key: str
    offset: int
    length: int
    alone: bool
    """Whether it is its object's only one."""
    place: int = -1
    """Where in the memory it lands."""
    landed: int = 0
    done: bool = False
    error: StorageError | None = None


class ReadAhead:
    """Reads objects of one storage; used by one thread."""

    def __init__(self, storage: Storage, window_bytes: int | None = None) -> None:
        """``window_bytes``: a multiple of the storage's alignment. Raises StorageError where nothing can be read."""
        self._storage = storage
        self._window = window_bytes or (_REMOTE_WINDOW_BYTES if storage.remote else _WINDOW_BYTES)
        self._room = self._window + _PAGE
        # Objects whose closing is not confirmed yet take places of a queue, too.
        self._queue = storage.open_reader(2 * _DEPTH)
        self._memory = memoryview(mmap.mmap(-1, _DEPTH * self._room))
        self._free = deque(range(_DEPTH))
        self._begun: deque[_Step] = deque()
        """In the order in which their bytes are wanted."""
        self._reading: dict[int, _Step] = {}
        """By place."""
        self._numbered = 0
        """Objects so far."""
        self._over = 0
        """Nothing more is to be read of objects up to this number."""

    def objects(self, wanted: Iterable[Wanted]) -> Iterator[Iterator[Window]]:
        """The windows of each object, which raise StorageError where it cannot be read. What is not taken of one object
        before the next is asked for is skipped."""
        plan = self._plan(wanted)
        while True:
            self._begin(plan)
            if not self._begun:
                return
            number = self._begun[0].number
            yield self._windows(number, plan)
            self._skip(number)

    @property
    def fallbacks(self) -> int:
        """Reads that went through the page cache although direct I/O was asked for."""
        return self._queue.report().fallbacks

    def close(self) -> None:
        """Waits for what is under way."""
        self._queue.close()

    def _plan(self, wanted: Iterable[Wanted]) -> Iterator[_Step]:
        """All reads, in order."""
        for one in wanted:
            self._numbered += 1
            number = self._numbered
            try:
                size = self._size(one)
            except StorageError as error:
                yield _Step(number, one.key, 0, 0, True, done=True, error=error)
                continue
            for offset in range(0, max(size, 1), self._window):
                if self._over >= number:
                    break
                last = offset + self._window >= size
                length = size + 1 - offset if last else self._window
                yield _Step(number, one.key, offset, length, alone=last and not offset)

    def _size(self, wanted: Wanted) -> int:
        """One byte more than this is asked for."""
        if wanted.size is not None:
            return wanted.size
        return self._window - 1 if wanted.at_most < self._window else self._storage.stat(wanted.key).size

    def _begin(self, plan: Iterator[_Step]) -> None:
        """Have as many reads under way as there are places."""
        while self._free:
            step = next(plan, None)
            if step is None:
                return
            self._begun.append(step)
            if not step.done:
                self._submit(step)

    def _submit(self, step: _Step) -> None:
        step.place = self._free.popleft()
        self._reading[step.place] = step
        length = _rounded(step.length, self._storage.alignment)
        start = step.place * self._room
        into = self._memory[start : start + length]
        # In a session the object stays open until its last read, which ``_skip`` ends.
        session = 0 if step.alone else step.number
        self._queue.submit([Read(step.key, step.offset, length, into, step.place, session)])
        # Hands it over: some queues pass reads on when they are waited for.
        self._wait(0)

    def _wait(self, timeout_ns: int | None) -> None:
        for completion in self._queue.wait(timeout_ns):
            step = self._reading.pop(completion.tag)
            step.done, step.error, step.landed = True, completion.error, completion.length

    def _windows(self, number: int, plan: Iterator[_Step]) -> Iterator[Window]:
        while self._begun and self._begun[0].number == number:
            step = self._take()
            if step.error is not None:
                raise step.error
            start = step.place * self._room
            yield Window(step.offset, self._memory[start : start + step.landed])
            self._leave(step)
            if step.landed < step.length:
                return
            self._begin(plan)

    def _take(self) -> _Step:
        """The next read, done."""
        step = self._begun[0]
        while not step.done:
            self._wait(None)
        return step

    def _leave(self, step: _Step) -> None:
        """The next read's bytes were looked at; its place is free."""
        self._begun.popleft()
        if step.place >= 0:
            self._free.append(step.place)

    def _skip(self, number: int) -> None:
        """Leave the rest of an object."""
        self._over = number
        while self._begun and self._begun[0].number == number:
            self._leave(self._take())
        self._queue.release(number)


class Glances:
    """Single reads of some bytes, for what is not read in order; opened when it is used."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._queue: ReadQueue | None = None

    def bytes_at(self, key: str, offset: int, length: int) -> bytes:
        """Some bytes of an object, at least one, fewer where it ends. Raises StorageError."""
        unit = self._storage.alignment
        start = offset - offset % unit
        memory = memoryview(mmap.mmap(-1, _rounded(offset + length - start, max(unit, _PAGE))))
        count = _rounded(offset + length - start, unit)
        if self._queue is None:
            self._queue = self._storage.open_reader(1)
        self._queue.submit([Read(key, start, count, memory[:count], 0)])
        (done,) = self._queue.wait()
        if done.error is not None:
            raise done.error
        return bytes(memory[offset - start : min(done.length, offset - start + length)])

    def close(self) -> None:
        """Give the queue back, if there is one."""
        if self._queue is not None:
            self._queue.close()


def _rounded(length: int, unit: int) -> int:
    return -(-length // unit) * unit
