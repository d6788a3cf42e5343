# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``null://``: answers every read with valid bytes, at once or with a programmed latency and bandwidth.

``null://?latency=5ms&bandwidth=2GB/s``. It shows what the client itself costs, and how a storage of known speed is
reported. Bandwidth is that of the whole store: reads share it one after another, and each then waits its latency.
"""

import heapq
import re
import urllib.parse
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from time import perf_counter_ns

import numpy as np

from dl_driver.errors import StorageError
from dl_driver.metrics.clock import Waiter
from dl_driver.storage.base import Completion, ObjectInfo, Piece, QueueReport, Read, StorageSettings

_SPIN_NS, _SPIN_FROM_NS = 100_000, 5_000_000
"""So long before a read is due the clock is watched, since a sleep ends late; only where that is a small share."""
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class NullStorage:
    """Objects of the workload that are not there."""

    alignment = 1
    remote = False
    in_process = False

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        self.uri, self.settings = uri, settings
        query = urllib.parse.parse_qs(uri.partition("?")[2], keep_blank_values=True)
        unknown = sorted(set(query) - {"latency", "bandwidth"})
        if unknown:
            raise StorageError(f"{uri}: unknown parameter {unknown[0]!r}; null:// knows latency and bandwidth")
        self.latency_ns = _parse_latency(uri, query.get("latency", ["0"])[-1])
        self.bytes_per_second = _parse_bandwidth(uri, query["bandwidth"][-1]) if "bandwidth" in query else None

    def open_reader(self, depth: int, watch: int | None = None, memory: memoryview | None = None) -> "NullQueue":
        """See Storage."""
        return NullQueue(self, watch)

    def object(self, key: str) -> tuple[int, Sequence[Piece]]:
        """Size and all bytes that are not zero; raises StorageError where no workload says what objects hold."""
        if self.settings.objects is None:
            raise StorageError(f"{self.uri}: null:// has objects only for a workload, which says what they hold")
        return self.settings.objects(key)

    def stat(self, key: str) -> ObjectInfo:
        """See Storage: every object exists."""
        return ObjectInfo(key, self.object(key)[0] if self.settings.objects else 0)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Nothing is listed: the objects are made up by those who ask for them."""
        yield from ()

    def put(self, key: str, pieces: Iterable[Piece], *, durable: bool = False) -> int:
        """Take the bytes and forget them."""
        return max((offset + len(data) for offset, data in pieces), default=0)

    def delete(self, keys: Iterable[str]) -> None:
        """There is nothing to remove."""


class NullQueue:
    """A ReadQueue whose reads end when the programmed speed says so."""

    spreads = False

    def __init__(self, storage: NullStorage, watch: int | None) -> None:
        self._storage = storage
        self._object = lru_cache(maxsize=256)(storage.object)
        self._latency_ns = storage.latency_ns
        rate = storage.bytes_per_second
        self._ns_per_byte = 0.0 if rate is None else 1e9 / (rate * storage.settings.share)
        self._link_free_ns = 0.0
        self._due: list[tuple[int, int, int, int, StorageError | None]] = []
        self._reads = 0
        self.woken = False
        self._waiter = Waiter([] if watch is None else [watch])

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        for read in reads:
            submitted = perf_counter_ns()
            length, error = 0, None
            try:
                length = self._fill(read)
            except StorageError as failure:
                error = failure
            self._link_free_ns = max(self._link_free_ns, submitted) + length * self._ns_per_byte
            due = int(self._link_free_ns) + self._latency_ns if self._ns_per_byte else submitted + self._latency_ns
            heapq.heappush(self._due, (due, read.tag, length, submitted, error))
        self._reads += len(reads)

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        now = perf_counter_ns()
        until = None if timeout_ns is None else now + timeout_ns
        if self._due and (until is None or self._due[0][0] < until):
            until = self._due[0][0]
        early = _SPIN_NS if self._latency_ns >= _SPIN_FROM_NS else 0
        self.woken = self._waiter.wait(None if until is None else until - early - now)
        now = perf_counter_ns()
        while early and not self.woken and until is not None and now < until:
            now = perf_counter_ns()
        finished = []
        while self._due and self._due[0][0] <= now:
            _, tag, length, submitted, error = heapq.heappop(self._due)
            finished.append(Completion(tag, length, submitted, None, now, error))
        return finished

    def release(self, session: int) -> None:
        """Nothing is open."""

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport("null", self._reads, 0)

    def close(self) -> None:
        """Nothing is held."""

    def _fill(self, read: Read) -> int:
        size, pieces = self._object(read.key)
        length = max(0, min(read.length, size - read.offset))
        np.frombuffer(read.into, np.uint8, length).fill(0)
        start, end = read.offset, read.offset + length
        at = max(0, bisect_right(pieces, start, key=attrgetter("offset")) - 1)
        while at < len(pieces) and (piece := pieces[at]).offset < end:
            offset, data = piece
            first, last = max(offset, start), min(offset + len(data), end)
            if first < last:
                read.into[first - start : last - start] = memoryview(data)[first - offset : last - offset]
            at += 1
        return length


def _parse_latency(uri: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|s)?", text.strip())
    if match is None:
        raise StorageError(f"{uri}: latency={text!r} is no time; write it as 5ms, 200us or 0.005s")
    return round(float(match[1]) * _SECONDS[match[2] or "s"] * 1e9)


def _parse_bandwidth(uri: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmg]i?)?b?(?:/s|ps)?", text.strip().lower())
    rate = float(match[1]) * _BYTES[match[2] or ""] if match else 0.0
    if rate <= 0:
        raise StorageError(f"{uri}: bandwidth={text!r} is no bandwidth; write it as 2GB/s or 500MiB/s")
    return rate
