# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the HTTP engine has to do for a read: one job, or several where a large read is split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dl_driver.errors import StorageError
from dl_driver.storage.base import Read

if TYPE_CHECKING:
    from dl_driver.storage.engines.http_connection import Connection

SMALLEST_RANGE = 8 << 20
"""Bytes; smaller parts cost more requests than they gain."""


@dataclass(slots=True)
class Group:
    """The parts of a read that was split."""

    read: Read
    left: int
    submitted_ns: int
    first_byte_ns: int | None = None
    end: int = 0
    """Of the bytes that arrived, from the read's offset."""
    total: int | None = None
    """The object's size, the same for all parts."""
    etag: str | None = None
    error: StorageError | None = None
    changed: bool = False
    """The parts are not of one object."""

    def joined(self, job: "Job", error: StorageError | None) -> bool:
        """Take note of a part that ended; True when it was the last."""
        self.left -= 1
        self.error = self.error or error
        if error is None:
            self._join(job)
        return not self.left

    def _join(self, job: "Job") -> None:
        if job.first_byte_ns is not None:
            self.first_byte_ns = min(job.first_byte_ns, self.first_byte_ns or job.first_byte_ns)
        if job.length:
            self.end = max(self.end, job.offset - self.read.offset + job.length)
        self.changed |= job.total is not None and self.total not in (None, job.total)
        self.changed |= job.etag is not None and self.etag not in (None, job.etag)
        self.total = job.total if job.total is not None else self.total
        self.etag = job.etag or self.etag


class Job:
    """A span of an object that one request can bring. What most jobs never need is a default of the class."""

    first_byte_ns: int | None = None
    got = 0
    """Bytes that arrived, in order from ``offset``."""
    attempts = 0
    """That failed."""
    total: int | None = None
    """The object's size, once an answer told it."""
    etag: str | None = None
    """The object's version, once an answer broke off that told it."""
    group: Group | None = None
    hurries = 0
    """Times that it was asked for again because it was late; no failures."""
    spoiled = 0
    """Of these times those that do not count, since the further request failed and the late one was left alone."""
    rivals: "tuple[Connection, Connection] | None" = None
    """The earlier and the later connection where it was asked for twice and neither answered yet."""
    stale = False
    """It was sent on a connection that had been closed while idle; that is no failure, once."""

    def __init__(self, read: Read, now: int, asked_range: bool) -> None:
        self.read = read
        self.key, self.offset, self.length, self.into, self.tag, *_ = read
        # ``length`` shrinks to what the object really holds of the span; the read's stays.
        self.submitted_ns = now
        self.asked_range = asked_range
        """The request names a range."""

    def restart(self) -> None:
        """Forget what came: the object is not what it was."""
        self.got, self.length, self.total, self.etag = 0, self.read.length, None, None


def split(read: Read, now: int, sizes: Sequence[int]) -> list[Job]:
    """One job for each part of a read; the sizes sum up to its length."""
    group = Group(read, len(sizes), now)
    jobs, at = [], 0
    for size in sizes:
        part = Read(read.key, read.offset + at, size, read.into[at : at + size], read.tag)
        job = Job(part, now, True)
        job.group = group
        jobs.append(job)
        at += size
    return jobs


def never_split(range_size: int | None) -> int:
    """Reads of so many bytes and fewer are one part, however many connections are free."""
    if range_size is None:
        return 2 * SMALLEST_RANGE - 1
    return range_size or 1 << 62


def part_sizes(length: int, range_size: int | None, free: int) -> Sequence[int]:
    """How a read is split: by the size asked for, else over the ``free`` connections where it is large; one part where
    it stays whole."""
    if range_size is None:
        parts = min(free, length // SMALLEST_RANGE)
        range_size = -(-length // max(1, parts) // 4096) * 4096 + 4096 if parts > 1 else length
    if range_size == 0 or length <= range_size:
        return (length,)
    whole, rest = divmod(length, range_size)
    return (range_size,) * whole + ((rest,) if rest else ())
