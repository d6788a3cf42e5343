# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads of files through io_uring: opened, read and closed in the kernel, many with one system call.

A read outside a session is a chain of three requests (open into a slot of the ring's own file table, read, close), so
no descriptor of the process is used and no further call is made. The chain of each slot is written once; a read only
fills in the path, the offset, the address and the length. A session opens its file once and keeps the slot.
"""

import os
import struct
import sys
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

from dl_driver.errors import StorageError
from dl_driver.storage.base import Completion, QueueReport, Read, Spread
from dl_driver.storage.engines.files import OpenMode, read_error
from dl_driver.storage.engines.registered import RegisteredMemory
from dl_driver.storage.engines.uring import SQE_SIZE, Ring
from dl_driver.storage.syscalls import address_of

_OP_READ_REGISTERED, _OP_POLL_ADD, _OP_OPENAT, _OP_CLOSE, _OP_READ = 4, 6, 18, 19, 22
_FIXED_FILE, _HARDLINK, _SKIP_SUCCESS = 1 << 0, 1 << 3, 1 << 6
_POLL_IN = 1
_PATH_MAX = 4096
_FILE_NAMES = sys.getfilesystemencoding()
_CHAIN = 3
"""Requests of a read outside a session."""
_OTHERS = 256
"""Requests of other kinds that can be handed over at once."""
# What a completion is about: the lower bits of user_data; the upper ones hold the slot's or the operation's number.
_READ, _OPEN, _CLOSE, _SESSION_READ, _SESSION_OPEN, _WATCH, _SPREAD_READ = range(7)
_KIND_BITS = 3
_KIND_MASK = (1 << _KIND_BITS) - 1
_NUMBER_MASK = (1 << 48) - 1

_SQE = struct.Struct("<BBHiQQIIQHHIQQ")
_pack = _SQE.pack_into
_pack_span = struct.Struct("<QQIIQH").pack_into
"""Offset, address, length, no flags, user_data and the number of registered memory, from a request's eighth byte on."""


@dataclass(slots=True)
class _Operation:
    """A read in flight within a session."""

    read: Read
    submitted_ns: int
    left: int = 1
    """Spans in flight."""
    arrived: int = 0
    """Bytes."""
    error: int = 0
    """An errno, negative."""


@dataclass(slots=True)
class _Session:
    """A file that stays open."""

    number: int
    key: str
    slot: int
    open: bool = False
    released: bool = False
    error: int = 0
    in_flight: int = 0
    waiting: list[Read] = field(default_factory=list)


_NOTHING = (Read("", 0, 0, memoryview(bytearray()), 0), 0)


class RingQueue:
    """A ReadQueue over one io_uring and one folder; keys are paths relative to it."""

    spreads = True

    def __init__(
        self,
        root: int,
        root_name: str,
        depth: int,
        mode: OpenMode,
        watch: int | None = None,
        *,
        memory: memoryview | None = None,
    ) -> None:
        """``root`` is an open directory's descriptor, which the queue then owns; in ``memory`` most reads will land."""
        self._root, self._root_name, self._mode = root, root_name, mode
        # Slots of the ring's own table are no descriptors of the process, so the kernel refuses the flag there.
        self._open_flags = mode.flags & ~os.O_CLOEXEC
        # Reads wait for a slot until the close of an earlier one is confirmed: twice as many slots hide that.
        slots = max(2 * depth, 8)
        try:
            self._ring = Ring(fixed=_CHAIN * slots, others=_OTHERS, file_slots=slots)
        except OSError:
            os.close(root)
            raise
        self._sqes = self._ring.submission_entries
        self._registered = RegisteredMemory(self._ring, memory)
        self._paths = memoryview(bytearray(_PATH_MAX * slots))
        self._path_address = address_of(self._paths)
        for slot in range(slots):
            self._write_chain(slot)
        self._free_slots = deque(range(slots))
        self._whole: list[tuple[Read, int]] = [_NOTHING] * slots
        """Of each slot, the read outside a session that is in flight, and when it was submitted."""
        self._open_errors: dict[int, int] = {}
        self._in_flight = 0
        self._operations: dict[int, _Operation] = {}
        self._sessions: dict[int, _Session] = {}
        self._pending: deque[Read] = deque()
        self._next_number = 0
        self._failed: list[Completion] = []
        self._watch, self._watching = watch, False
        self._reads = 0

    def submit(self, reads: Sequence[Read]) -> None:
        """Queue the reads; the kernel gets them, all at once, at the next ``wait``."""
        now = perf_counter_ns()
        for read in reads:
            if read.session:
                self._submit_in_session(read, now)
            elif self._free_slots:
                self._submit_whole(read, now)
            else:
                self._pending.append(read)

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue. Completions are stamped when they are taken from the ring."""
        until = None if timeout_ns is None else perf_counter_ns() + timeout_ns
        while True:
            if self._watch is not None and not self._watching:
                self._arm_watch(self._watch)
            self._ring.enter(wait=not self._failed, timeout_ns=timeout_ns)
            finished = self._reap()
            self._submit_pending()
            if finished or self.woken:
                return finished
            # Only a file was opened or closed: go on waiting.
            if until is not None and (timeout_ns := until - perf_counter_ns()) <= 0:
                return finished

    @property
    def woken(self) -> bool:
        """See ReadQueue."""
        return self._watch is not None and not self._watching

    def _submit_pending(self) -> None:
        if self._pending and self._free_slots:
            now = perf_counter_ns()
            while self._pending and self._free_slots:
                self._submit_whole(self._pending.popleft(), now)
            self._ring.enter(wait=False)

    def release(self, session: int) -> None:
        """See ReadQueue."""
        held = self._sessions.get(session)
        if held is not None:
            held.released = True
            self._close_if_idle(held)

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport("io_uring", self._reads, self._reads if self._mode.fallback else 0)

    def close(self) -> None:
        """See ReadQueue: waits for what is in flight, since the kernel writes into the callers' memory until then."""
        self._watch = None
        while self._in_flight:
            self._ring.enter(wait=True)
            self._reap()
        self._ring.close()
        os.close(self._root)

    def _write_chain(self, slot: int) -> None:
        """The three requests of a slot, but for the span that is read."""
        at, skip = slot * _CHAIN * SQE_SIZE, _SKIP_SUCCESS if self._ring.can_skip_success else 0
        _pack(
            self._sqes, at, _OP_OPENAT, _HARDLINK | skip, 0, self._root, 0, self._path_address + slot * _PATH_MAX,
            0, self._open_flags, slot << _KIND_BITS | _OPEN, 0, 0, slot + 1, 0, 0,
        )  # fmt: skip
        _pack(
            self._sqes, at + SQE_SIZE, _OP_READ, _FIXED_FILE | _HARDLINK, 0, slot,
            0, 0, 0, 0, slot << _KIND_BITS | _READ, 0, 0, 0, 0, 0,
        )  # fmt: skip
        self._pack_close(at + 2 * SQE_SIZE, slot)

    def _submit_whole(self, read: Read, now: int) -> None:
        path = self._path_of(read.key)
        slot = self._free_slots.popleft()
        start = slot * _PATH_MAX
        self._paths[start : start + len(path)] = path
        chain = slot * _CHAIN
        address = read.address or address_of(read.into)
        at = (chain + 1) * SQE_SIZE
        self._sqes[at], piece = self._read_operation(address, read.length)
        _pack_span(self._sqes, at + 8, read.offset, address, read.length, 0, slot << _KIND_BITS | _READ, piece)
        self._whole[slot] = (read, now)
        self._in_flight += 1
        self._ring.push(chain, _CHAIN)

    def _submit_in_session(self, read: Read, now: int) -> None:
        session = self._sessions.get(read.session)
        if session is None:
            session = self._open_session(read)
        session.in_flight += 1
        if session.open:
            self._read_in_session(session, read, now)
        else:
            session.waiting.append(read)

    def _open_session(self, read: Read) -> _Session:
        path = self._path_of(read.key)
        if not self._free_slots:
            raise StorageError(f"{read.key}: more files open at once than the queue's depth allows")
        slot = self._free_slots.popleft()
        self._paths[slot * _PATH_MAX : slot * _PATH_MAX + len(path)] = path
        _pack(
            self._sqes, self._ring.next_offset(), _OP_OPENAT, 0, 0, self._root,
            0, self._path_address + slot * _PATH_MAX, 0, self._open_flags,
            read.session << _KIND_BITS | _SESSION_OPEN, 0, 0, slot + 1, 0, 0,
        )  # fmt: skip
        session = self._sessions[read.session] = _Session(read.session, read.key, slot)
        return session

    def _read_in_session(self, session: _Session, read: Read, now: int) -> None:
        if session.error:
            session.in_flight -= 1
            self._failed.append(self._failure(read, now, now, session.error))
            return
        number = self._next_number = (self._next_number + 1) & _NUMBER_MASK
        if read.spread is not None:
            self._read_spread(session, read, read.spread, _Operation(read, now, len(read.spread.offsets)), number)
            return
        self._operations[number] = _Operation(read, now)
        self._in_flight += 1
        address = read.address or address_of(read.into)
        operation, piece = self._read_operation(address, read.length)
        _pack(
            self._sqes, self._ring.next_offset(), operation, _FIXED_FILE, 0, session.slot,
            read.offset, address, read.length, 0, number << _KIND_BITS | _SESSION_READ, piece, 0, 0, 0, 0,
        )  # fmt: skip

    def _read_spread(self, session: _Session, read: Read, spread: Spread, operation: _Operation, number: int) -> None:
        """A request a span, written as columns of words, see _SQE: what all have in common, offset, address, length,
        what comes back with the completion, and nothing else."""
        self._operations[number] = operation
        self._in_flight += operation.left
        address = read.address or address_of(read.into)
        code, piece = self._read_operation(address, len(read.into))
        for first in range(0, operation.left, _OTHERS):
            offsets = spread.offsets[first : first + _OTHERS]
            place = self._ring.claim(len(offsets))
            words = self._ring.words[place : place + len(offsets)]
            words[:, 0] = code | _FIXED_FILE << 8 | session.slot << 32
            words[:, 1] = offsets + read.offset
            words[:, 2] = spread.places[first : first + _OTHERS] + address
            words[:, 3] = spread.lengths[first : first + _OTHERS]
            words[:, 4] = number << _KIND_BITS | _SPREAD_READ
            words[:, 5] = piece
            words[:, 6:] = 0

    def _read_operation(self, address: int, length: int) -> tuple[int, int]:
        """How the kernel is asked for a read into this memory, and the number of the registered piece."""
        piece = self._registered.number(address, length)
        return (_OP_READ, 0) if piece < 0 else (_OP_READ_REGISTERED, piece)

    def _path_of(self, key: str) -> bytes:
        path = key.encode(_FILE_NAMES, "surrogateescape") + b"\0"
        if len(path) > _PATH_MAX:
            raise StorageError(f"{key}: the name is longer than {_PATH_MAX - 1} bytes")
        return path

    def _pack_close(self, at: int, slot: int) -> None:
        _pack(
            self._sqes, at, _OP_CLOSE, 0, 0, 0, 0, 0, 0, 0, slot << _KIND_BITS | _CLOSE, 0, 0, slot + 1, 0, 0,
        )  # fmt: skip

    def _arm_watch(self, descriptor: int) -> None:
        _pack(
            self._sqes, self._ring.next_offset(), _OP_POLL_ADD, 0, 0, descriptor,
            0, 0, 0, _POLL_IN, _WATCH, 0, 0, 0, 0, 0,
        )  # fmt: skip
        self._watching = True

    def _reap(self) -> list[Completion]:
        finished, self._failed = self._failed, []
        now = perf_counter_ns()
        spread: defaultdict[int, list[int]] = defaultdict(list)
        for user_data, result, _ in self._ring.completions():
            kind, number = user_data & _KIND_MASK, user_data >> _KIND_BITS
            if kind == _READ:
                finished.append(self._finish_whole(number, result, now))
            elif kind == _SPREAD_READ:
                spread[number].append(result)
            elif kind == _CLOSE:
                self._free_slots.append(number)
            elif kind == _SESSION_READ:
                finished.append(self._finish_in_session(number, result, now))
            elif kind == _OPEN:
                if result < 0:
                    self._open_errors[number] = -result
            elif kind == _SESSION_OPEN:
                self._session_opened(self._sessions[number], result, now)
            else:
                self._watching = False
        for number, results in spread.items():
            self._take_spread(number, results, now, finished)
        if self._failed:
            finished += self._failed
            self._failed = []
        return finished

    def _finish_whole(self, slot: int, result: int, now: int) -> Completion:
        read, submitted = self._whole[slot]
        self._in_flight -= 1
        self._reads += 1
        if result >= 0:
            return Completion(read.tag, result, submitted, None, now, None)
        return self._failure(read, submitted, now, self._open_errors.pop(slot, -result))

    def _finish_in_session(self, number: int, result: int, now: int) -> Completion:
        operation = self._operations.pop(number)
        self._in_flight -= 1
        self._reads += 1
        read = operation.read
        session = self._sessions[read.session]
        session.in_flight -= 1
        self._close_if_idle(session)
        if result >= 0:
            return Completion(read.tag, result, operation.submitted_ns, None, now, None)
        return self._failure(read, operation.submitted_ns, now, -result)

    def _take_spread(self, number: int, results: list[int], now: int, finished: list[Completion]) -> None:
        """Some of the spans of a read are there; with the last of them it ends as one read."""
        operation = self._operations[number]
        operation.left -= len(results)
        if min(results) < 0:
            operation.error = min(results)
        else:
            operation.arrived += sum(results)
        if operation.left:
            return
        assert operation.read.spread is not None
        more = len(operation.read.spread.offsets) - 1
        self._in_flight -= more
        self._reads += more
        finished.append(self._finish_in_session(number, operation.error or operation.arrived, now))

    def _failure(self, read: Read, submitted: int, now: int, number: int) -> Completion:
        return Completion(read.tag, 0, submitted, None, now, read_error(self._root_name, read.key, number))

    def _session_opened(self, session: _Session, result: int, now: int) -> None:
        session.open = True
        if result < 0:
            session.error = -result
        waiting, session.waiting = session.waiting, []
        for read in waiting:
            self._read_in_session(session, read, now)
        self._close_if_idle(session)

    def _close_if_idle(self, session: _Session) -> None:
        if not (session.released and session.open) or session.in_flight:
            return
        del self._sessions[session.number]
        if session.error:
            self._free_slots.append(session.slot)
        else:
            self._pack_close(self._ring.next_offset(), session.slot)
