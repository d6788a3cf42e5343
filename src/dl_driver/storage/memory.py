# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``memory://name``: objects in this process's memory; the fake that tests use, and the quickest backend to read."""

import select
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter_ns

from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage.base import Completion, ObjectInfo, Piece, QueueReport, Read, StorageSettings

_STORES: dict[str, dict[str, bytes]] = {}
"""Every store of this process by its URI; written by put and delete alone."""


class MemoryStorage:
    """Objects live until the process ends."""

    alignment = 1
    remote = False
    in_process = True

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        self.uri, self.settings = uri, settings
        self._objects = _STORES.setdefault(uri.rstrip("/"), {})

    def open_reader(self, depth: int, watch: int | None = None, memory: memoryview | None = None) -> "MemoryQueue":
        """See Storage."""
        return MemoryQueue(self, watch)

    def get(self, key: str) -> bytes:
        """A whole object; raises StorageError."""
        try:
            return self._objects[key]
        except KeyError:
            raise NotFoundError(f"cannot read {self.uri}/{key}: there is no such object") from None

    def stat(self, key: str) -> ObjectInfo:
        """See Storage."""
        return ObjectInfo(key, len(self.get(key)))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See Storage."""
        folder = prefix.rstrip("/") + "/" if prefix else ""
        for key, data in list(self._objects.items()):
            if key.startswith(folder):
                yield ObjectInfo(key, len(data))

    def put(self, key: str, pieces: Iterable[Piece], *, durable: bool = False) -> int:
        """See Storage; nothing in memory is durable."""
        data = bytearray()
        for offset, piece in pieces:
            data[offset : offset + len(piece)] = piece
        self._objects[key] = bytes(data)
        return len(data)

    def delete(self, keys: Iterable[str]) -> None:
        """See Storage."""
        for key in keys:
            self._objects.pop(key, None)


class MemoryQueue:
    """A ReadQueue whose reads are done when submitted."""

    spreads = False

    def __init__(self, storage: MemoryStorage, watch: int | None) -> None:
        self._storage = storage
        self._done: list[Completion] = []
        self._reads = 0
        self.woken = False
        self._poll = select.poll()
        if watch is not None:
            self._poll.register(watch, select.POLLIN)

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        for read in reads:
            submitted = perf_counter_ns()
            length, error = 0, None
            try:
                data = self._storage.get(read.key)[read.offset : read.offset + read.length]
                length = len(data)
                read.into[:length] = data
            except StorageError as failure:
                error = failure
            self._done.append(Completion(read.tag, length, submitted, None, perf_counter_ns(), error))
        self._reads += len(reads)

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        if self._done:
            timeout_ns = 0
        self.woken = bool(self._poll.poll(None if timeout_ns is None else timeout_ns / 1e6))
        done, self._done = self._done, []
        return done

    def release(self, session: int) -> None:
        """Nothing is open."""

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport("memory", self._reads, 0)

    def close(self) -> None:
        """Nothing is held."""
