# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every storage is a completion queue: submit many reads, take what finishes, in any order.

A blocking read is a helper on top, not the primitive. io_uring, epoll over HTTP and a thread pool all fit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import StorageError
from dl_driver.storage.options import ObjectStoreOptions

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Several spans of one object that are asked for as one read, each with a place of its own. Best one object for all
    reads of the same shape: what follows from it can be kept."""

    offsets: NDArray[np.int64]
    """Of each span from ``Read.offset`` on, ascending, the first 0."""
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]
    """Where in ``Read.into`` each begins."""

    @property
    def length(self) -> int:
        """Of all spans."""
        return int(self.lengths.sum())


class Read(NamedTuple):
    """One span of one object, and where its bytes shall land."""

    key: str
    """Relative to the storage's root, ``/`` between parts, never starting with one."""
    offset: int
    length: int
    """Bytes wanted; fewer arrive only where the object ends."""
    into: memoryview
    """Writable, contiguous, at least ``length`` long; the caller leaves it alone until the read completes."""
    tag: int
    """Comes back with the completion; unique among the reads in flight."""
    session: int = 0
    """0: open, read, close. Otherwise the object stays open for all reads with this number, until ``release``."""
    address: int = 0
    """Where ``into`` lies in memory, if the caller knows; 0: the queue finds out."""
    spread: Spread | None = None
    """For queues that take them (``ReadQueue.spreads``), in a session: these spans instead of one, each of less than
    2 GiB. ``length`` is theirs together; spans, in their order, come short only where the object ends."""


class Completion(NamedTuple):
    """How one read ended; times are ``time.perf_counter_ns``."""

    tag: int
    length: int
    """Bytes that arrived; 0 after an error."""
    submitted_ns: int
    first_byte_ns: int | None
    """When the first byte was there, or None where the storage cannot tell."""
    done_ns: int
    error: StorageError | None


PARTIAL = ".partial"
"""How the name of an object in the making ends, where a storage shows such things."""


def partial_key(key: str, pid: int) -> str:
    """The name under which process ``pid`` writes an object until it is whole."""
    return f"{key}.{pid}{PARTIAL}"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as listed."""

    key: str
    size: int
    """Bytes."""


class Piece(NamedTuple):
    """Bytes at an offset of an object being written. Pieces come in ascending order and without gaps,
    but for patches: pieces that lie within what was already written, at the end of the sequence."""

    offset: int
    data: Buffer


class ReadQueue(Protocol):
    """Reads in flight for one user; used by the thread that opened it alone."""

    @property
    def spreads(self) -> bool:
        """Whether reads may have a spread."""
        ...

    @property
    def woken(self) -> bool:
        """Whether the watched descriptor was readable when the last ``wait`` returned."""
        ...

    def submit(self, reads: Sequence[Read]) -> None:
        """Start these reads. Never more in flight than the queue's depth."""
        ...

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """What has finished. Blocks until a read finishes, the watched descriptor is readable, or the time is over;
        ``None`` waits without limit, 0 not at all. An error of one read is in its completion, not raised."""
        ...

    def release(self, session: int) -> None:
        """No further reads will come in this session: close its object once those in flight are done."""
        ...

    def report(self) -> "QueueReport":
        """What was done so far."""
        ...

    def close(self) -> None:
        """Give back descriptors and memory; reads in flight are waited for or cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What a queue did, for the results."""

    engine: str
    """``io_uring``, ``threads``, ``http``, ``obstore``, ``null``, ``memory``."""
    reads: int
    fallbacks: int
    """Reads that went through the page cache although direct I/O was asked for."""
    retries: Mapping[str, int] = field(default_factory=dict)
    """Requests that were made again, by reason."""
    handed_over: int = 0
    """Reads of an object store that the general client (obstore) did in place of the engine."""
    requests: int = 0
    """Requests sent to an object store, those made again and the parts of large reads included."""
    connections: int = 0
    """Connections to an object store that were opened."""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """How a storage shall be used, beside its URI."""

    engine: Literal["auto", "ring", "threads"] = "auto"
    strict_direct: bool = False
    """Reading through the page cache is an error where direct I/O was asked for."""
    objects: "Callable[[str], tuple[int, Sequence[Piece]]] | None" = None
    """For ``null://``: an object's size and all its bytes that are not zero; must be picklable."""
    share: float = 1.0
    """For ``null://``: this process's part of the programmed bandwidth."""
    options: ObjectStoreOptions = field(default_factory=ObjectStoreOptions)
    """For object stores: where they are and who asks."""


@runtime_checkable
class Storage(Protocol):
    """One URI scheme. Instances are cheap and can be pickled; they hold no descriptor until used."""

    uri: str
    alignment: int
    """Offsets, lengths and destination addresses of reads must be multiples of this; 1 where nothing is asked."""
    in_process: bool
    """True where the objects live in this process alone, so that no worker process can read them."""
    remote: bool
    """True where each look-up is a request over a network, so that a listing may come cheaper."""

    def open_reader(self, depth: int, watch: int | None = None, memory: memoryview | None = None) -> ReadQueue:
        """A queue for ``depth`` reads in flight, whose ``wait`` also returns when descriptor ``watch`` is readable. In
        ``memory`` most reads will land, so that a backend may make it ready; it stays until the queue is closed."""
        ...

    def stat(self, key: str) -> ObjectInfo:
        """Raises NotFoundError where there is no such object, StorageError where that cannot be told."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below ``prefix``, in no particular order, streamed."""
        ...

    def put(self, key: str, pieces: Iterable[Piece], *, durable: bool = False) -> int:
        """Write a whole object or nothing; returns its size. ``durable``: on stable storage before this returns."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that do not exist are no error."""
        ...
