# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads of files by a pool of threads, for kernels and containers that refuse io_uring."""

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter_ns

from dl_driver.storage.base import Completion, QueueReport, Read
from dl_driver.storage.engines.files import OpenMode, read_error

_MAX_THREADS = 64


@dataclass(slots=True)
class _Session:
    """A file that stays open; ``lock`` guards the opening."""

    lock: threading.Lock
    descriptor: int = -1
    in_flight: int = 0
    released: bool = False


class ThreadQueue:
    """A ReadQueue over blocking reads; keys are paths relative to one folder."""

    spreads = False

    def __init__(self, root: int, root_name: str, depth: int, mode: OpenMode, watch: int | None = None) -> None:
        """``root`` is an open directory's descriptor, which the queue then owns."""
        self._root, self._root_name, self._mode = root, root_name, mode
        self._work: SimpleQueue[tuple[Read, int, _Session | None] | None] = SimpleQueue()
        self._done: deque[Completion] = deque()  # appended by the threads, taken by the owner: both are atomic
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._event, select.POLLIN)
        if watch is not None:
            self._poll.register(watch, select.POLLIN)
        self._sessions: dict[int, _Session] = {}
        self._tags: dict[int, _Session] = {}
        self._in_flight = self._reads = 0
        self._watch, self.woken = watch, False
        self._threads = [
            threading.Thread(target=self._serve, name="dl-driver-read", daemon=True)
            for _ in range(min(depth, _MAX_THREADS))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        now = perf_counter_ns()
        for read in reads:
            session = None
            if read.session:
                session = self._sessions.setdefault(read.session, _Session(threading.Lock()))
                session.in_flight += 1
                self._tags[read.tag] = session
            self._in_flight += 1
            self._work.put((read, now, session))

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        if self._done:
            timeout_ns = 0
        ready = self._poll.poll(None if timeout_ns is None else timeout_ns / 1e6)
        self.woken = any(descriptor == self._watch for descriptor, _ in ready)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        finished = []
        while self._done:
            completion = self._done.popleft()
            self._in_flight -= 1
            self._reads += 1
            finished.append(completion)
            session = self._tags.pop(completion.tag, None)
            if session is not None:
                session.in_flight -= 1
                self._close_if_idle(session)
        return finished

    def release(self, session: int) -> None:
        """See ReadQueue."""
        held = self._sessions.pop(session, None)
        if held is not None:
            held.released = True
            self._close_if_idle(held)

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport("threads", self._reads, self._reads if self._mode.fallback else 0)

    def close(self) -> None:
        """See ReadQueue."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        os.close(self._event)
        os.close(self._root)

    def _close_if_idle(self, session: _Session) -> None:
        if session.released and not session.in_flight and session.descriptor >= 0:
            os.close(session.descriptor)
            session.descriptor = -1

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            read, submitted, session = item
            length, error = 0, None
            try:
                length = self._read_in(session, read) if session else self._read_whole(read)
            except OSError as failure:
                error = read_error(self._root_name, read.key, failure.errno or 0)
            self._done.append(Completion(read.tag, length, submitted, None, perf_counter_ns(), error))
            os.eventfd_write(self._event, 1)

    def _open(self, key: str) -> int:
        return os.open(key, self._mode.flags, dir_fd=self._root)

    def _read_whole(self, read: Read) -> int:
        descriptor = self._open(read.key)
        try:
            return _read_fully(descriptor, read)
        finally:
            os.close(descriptor)

    def _read_in(self, session: _Session, read: Read) -> int:
        with session.lock:
            if session.descriptor < 0:
                session.descriptor = self._open(read.key)
        return _read_fully(session.descriptor, read)


def _read_fully(descriptor: int, read: Read) -> int:
    """Bytes read: as many as asked for, fewer only at the file's end."""
    into, total = read.into[: read.length], 0
    while total < read.length:
        count = os.preadv(descriptor, [into[total:]], read.offset + total)
        total += count
        if count == 0 or total % 4096:  # the end, where a direct read could not go on in any case
            break
    return total
