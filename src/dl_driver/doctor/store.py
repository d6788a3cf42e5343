# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A storage: can it be reached, listed, written, read and cleaned, and how fast does one reader get its bytes.

Everything goes through the Storage interface, so it is the same for every scheme. What it writes is one object with a
name of its own, removed at the end.
"""

import mmap
import os
import socket
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol, runtime_checkable

from dl_driver.config.sizes import show_size
from dl_driver.doctor.findings import Finding, Grade
from dl_driver.errors import DlDriverError, StorageError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Read, ReadQueue, Storage, StorageSettings
from dl_driver.storage.engines.greeting import Greeting
from dl_driver.storage.local import path_of

_PROBE_BYTES = 32 << 20
_SMALL_BYTES = 4096
_SMALL_READS = 50
_WINDOW_BYTES = 4 << 20
_STREAM_S = 1.0
_TIMEOUT_NS = 60_000_000_000
_LISTED = 1000
_LONG_NS = 50_000_000
_FAR_APART_S = 60.0


@runtime_checkable
class Identified(Protocol):
    """A storage that can tell who it takes this user for."""

    def who_am_i(self) -> str:
        """The identity, without any secret. Raises StorageError."""
        ...


@runtime_checkable
class Remote(Protocol):
    """A storage of servers that can be asked whether they are there."""

    def greet(self) -> Iterator[Greeting]:
        """An answer of each. Raises UnreachableError."""
        ...


def examine_uri(place: str, settings: StorageSettings | None = None) -> Iterator[Finding]:
    """Findings about the storage at a URI or in a folder."""
    uri = place if "://" in place else f"file://{urllib.parse.quote(os.path.abspath(os.path.expanduser(place)))}"
    folder = local_folder(uri)
    if folder is not None and not os.path.isdir(folder):
        yield Finding("reach", Grade.MISSING, f"{folder} is no folder", advice="make it, or mount what belongs there")
        return
    try:
        storage = open_storage(uri, settings)
    except DlDriverError as error:
        yield Finding("reach", Grade.MISSING, str(error), advice="check the URI")
        return
    yield from examine_store(storage)


def local_folder(place: str) -> str | None:
    """The folder that a path or a URI names; None where it names none of this machine."""
    scheme, separator, _ = place.partition("://")
    if not separator:
        return os.path.abspath(os.path.expanduser(place))
    return path_of(place) if scheme in ("file", "direct") else None


def examine_store(storage: Storage, probe_bytes: int = _PROBE_BYTES) -> Iterator[Finding]:
    """Findings, each from what the one before left. Raises nothing for a storage that refuses."""
    if isinstance(storage, Remote):
        reached = list(_reaching(storage))
        yield from reached
        if reached[-1].grade is Grade.MISSING:
            return
    if isinstance(storage, Identified):
        yield _try("identity", storage.who_am_i, "check the credentials")
    listed = _listing(storage)
    yield listed
    key = f"dl-driver-doctor-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    written = _writing(storage, key, probe_bytes)
    yield written
    if written.grade is Grade.OK:
        try:
            yield from _reading(storage, key, probe_bytes)
        finally:
            removed = _removing(storage, key)
        yield removed


def _reaching(storage: Remote) -> Iterator[Finding]:
    """Each server; up to the first that does not answer."""
    try:
        for greeting in storage.greet():
            yield _reached(greeting)
    except DlDriverError as error:
        yield Finding("reach", Grade.MISSING, str(error), advice="nothing else can be tried before")


def _reached(greeting: Greeting) -> Finding:
    took = f"{greeting.url} answers in {greeting.took_ns / 1e6:.1f} ms"
    ahead = greeting.ahead_s
    if ahead is None or abs(ahead) < _FAR_APART_S:
        return Finding("reach", Grade.OK, took, greeting.took_ns, "ns")
    text = f"{took}, but its clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    advice = "set the clock (see timedatectl): servers refuse signatures that are minutes away, and tokens seem expired"
    return Finding("reach", Grade.ADVICE, text, greeting.took_ns, "ns", advice)


def _listing(storage: Storage) -> Finding:
    def look() -> str:
        start = time.perf_counter_ns()
        count = sum(1 for _ in islice(storage.list(), _LISTED))
        took = (time.perf_counter_ns() - start) / 1e6
        more = "at least " if count == _LISTED else ""
        return f"{more}{count:,} objects in {took:.1f} ms"

    return _try("list", look, "a run needs it unless file names follow from the workload")


def _writing(storage: Storage, key: str, size: int) -> Finding:
    """Bytes that do not compress, so that no storage has an easy game."""

    def write() -> str:
        block = os.urandom(min(size, _WINDOW_BYTES))
        pieces = (Piece(offset, block[: size - offset]) for offset in range(0, size, len(block)))
        start = time.perf_counter_ns()
        storage.put(key, pieces, durable=True)
        took = (time.perf_counter_ns() - start) / 1e9
        return f"{show_size(size)} in {took * 1e3:.0f} ms, {show_size(size / took)}/s, durable"

    return _try("put", write, "generation and checkpoints need write access")


def _reading(storage: Storage, key: str, size: int) -> Iterator[Finding]:
    def stat() -> str:
        told = storage.stat(key).size
        if told != size:
            raise StorageError(f"{storage.uri}: wrote {size} bytes to {key}, and it tells of {told}")
        return show_size(told)

    yield _try("stat", stat, "a storage that does not keep what was written must not be measured")
    try:
        yield from (_latency(storage, key, size), _bandwidth(storage, key, size))
    except DlDriverError as error:
        yield Finding("get", Grade.MISSING, str(error), advice="a run reads objects")


def _latency(storage: Storage, key: str, size: int) -> Finding:
    times = sorted(_timed_reads(storage, key, _spread_offsets(size), min(_SMALL_BYTES, size), None))
    middle, slow = times[len(times) // 2], times[len(times) * 95 // 100]
    text = f"4 KiB, one at a time: p50 {middle / 1e6:.3f} ms, p95 {slow / 1e6:.3f} ms ({len(times)} reads)"
    advice = "" if middle < _LONG_NS else "each read waits long: keep more in flight (reader.read_threads)"
    return Finding("latency", Grade.ADVICE if advice else Grade.OK, text, middle, "ns", advice)


def _bandwidth(storage: Storage, key: str, size: int) -> Finding:
    window = min(_WINDOW_BYTES, size)
    offsets = [offset for offset in range(0, size, window) if offset + window <= size]
    times = _timed_reads(storage, key, offsets, window, _STREAM_S)
    rate = window * len(times) / (sum(times) / 1e9)
    text = f"one stream, {show_size(window)} reads: {show_size(rate)}/s"
    cached = storage.uri.startswith("file://")
    advice = "this is the page cache's speed; direct:// shows the disk's" if cached else ""
    return Finding("bandwidth", Grade.ADVICE if cached else Grade.OK, text, rate, "bytes/s", advice)


def _spread_offsets(size: int) -> list[int]:
    """Aligned places all over the object."""
    blocks = max(1, size // _SMALL_BYTES)
    return [(index * 7919 % blocks) * _SMALL_BYTES for index in range(_SMALL_READS)]


def _timed_reads(storage: Storage, key: str, offsets: list[int], length: int, for_s: float | None) -> list[int]:
    """Nanoseconds of each read, one after another: all offsets once, or again and again for a time."""
    took: list[int] = []
    queue = storage.open_reader(1)
    with mmap.mmap(-1, max(mmap.PAGESIZE, length)) as memory, memoryview(memory) as buffer:
        try:
            until = time.perf_counter() + (for_s or 0.0)
            while not took or (for_s is not None and time.perf_counter() < until):
                for offset in offsets:
                    queue.submit([Read(key, offset, length, buffer, 0)])
                    took.append(_finish(storage.uri, key, queue, length))
        finally:
            queue.close()
    return took


def _finish(uri: str, key: str, queue: ReadQueue, length: int) -> int:
    """How long the one read in flight took. Raises StorageError where it failed or fell short."""
    deadline = time.perf_counter_ns() + _TIMEOUT_NS
    while time.perf_counter_ns() < deadline:
        for done in queue.wait(_TIMEOUT_NS):
            if done.error is not None:
                raise done.error
            if done.length != length:
                raise StorageError(f"{uri}: read {done.length} bytes of {key}, expected {length}")
            return done.done_ns - done.submitted_ns
    raise StorageError(f"{uri}: a read of {key} took more than {_TIMEOUT_NS // 10**9} s")


def _removing(storage: Storage, key: str) -> Finding:
    def remove() -> str:
        storage.delete([key])
        try:
            storage.stat(key)
        except StorageError:
            return "the probe object is gone"
        raise StorageError(f"{storage.uri}: {key} is still there after it was deleted")

    return _try("delete", remove, f"remove the object {key} by hand")


def _try(name: str, examine: Callable[[], str], advice: str) -> Finding:
    """What an examination found, or why it failed."""
    try:
        return Finding(name, Grade.OK, examine())
    except DlDriverError as error:
        return Finding(name, Grade.MISSING, str(error), advice=advice)
