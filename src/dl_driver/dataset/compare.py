# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an object first differs from what its format would write, told while both pass by.

A format's pieces ascend, but at the end it may go back and patch what it wrote before (a ZIP's checksum, an HDF5 file's
index). So a byte that differs as it passes is only noted; which of them count is known when the patches are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.readahead import Window
from dl_driver.formats.pieces import merged
from dl_driver.storage.base import Piece

Bytes = NDArray[np.uint8]
Glance = Callable[[int, int], bytes]
"""``glance(offset, length)``: bytes of the object, fewer where it ends."""

_HEAD_BYTES = 4096
"""Kept of each object, since that is where patches mostly are."""
_MOST_NOTED = 1 << 20
"""Bytes that differ and are noted in one pass."""
_RESCAN_BYTES = 1 << 20
_WORD = 8


class Kind(StrEnum):
    """How an object is not what it should be."""

    DIFFERENT = "different"
    """A byte is another one."""
    SHORTER = "shorter"
    """It ends too early, and is right up to there."""
    LONGER = "longer"
    """It goes on where it should end, and is right up to there."""
    MISSING = "missing"
    """There is none."""
    UNREADABLE = "unreadable"
    """The storage does not give its bytes."""


class Difference(NamedTuple):
    """The first byte that is not as expected."""

    offset: int
    kind: Kind
    expected: int | None = None
    """The byte, of one that is another."""
    found: int | None = None
    """The byte, of one that is another."""


@dataclass(slots=True)
class Comparison:
    """What came of it."""

    difference: Difference | None
    size: int
    """Bytes that the object should have."""
    compared: int
    """Bytes of it that were looked at."""


def compare(
    encode: Callable[[], Iterable[Piece]], windows: Iterator[Window], glance: Glance, most_noted: int = _MOST_NOTED
) -> Comparison:
    """Compare an object with the pieces that ``encode`` makes; memory is bounded, however many bytes differ."""
    scan, compared = _Scan(windows, 0, most_noted), 0
    while True:
        scan.run(encode())
        compared += scan.compared
        difference = scan.first_difference(glance)
        if difference is not None or scan.is_complete:
            return Comparison(difference, scan.size, compared)
        # Everything noted was patched, and there was no room to note more: from there on once more.
        scan = _Scan(_rescan(glance, scan.position), scan.position, most_noted)


def _rescan(glance: Glance, start: int) -> Iterator[Window]:
    while data := glance(start, _RESCAN_BYTES):
        yield Window(start, memoryview(data))
        start += len(data)


@dataclass(slots=True)
class _Noted:
    """Bytes that differ, in ascending order."""

    offsets: list[NDArray[np.int64]] = field(default_factory=list)
    expected: list[Bytes] = field(default_factory=list)
    found: list[Bytes] = field(default_factory=list)
    count: int = 0

    def add(self, start: int, expected: Bytes, found: Bytes) -> None:
        """Note where two equally long stretches differ."""
        places = np.flatnonzero(expected != found)
        self.offsets.append(places + start)
        self.expected.append(expected[places])
        self.found.append(found[places])
        self.count += len(places)

    def first_outside(self, patches: tuple[Piece, ...]) -> Difference | None:
        """The first that no patch covers."""
        starts = np.array([patch.offset for patch in patches], np.int64)
        ends = np.array([patch.offset + len(patch.data) for patch in patches], np.int64)
        for offsets, expected, found in zip(self.offsets, self.expected, self.found, strict=True):
            before = np.searchsorted(starts, offsets, side="right") - 1
            covered = (before >= 0) & (offsets < ends[before]) if len(ends) else np.zeros(len(offsets), bool)
            outside = np.flatnonzero(~covered)
            if len(outside):
                at = outside[0]
                return Difference(int(offsets[at]), Kind.DIFFERENT, int(expected[at]), int(found[at]))
        return None


class _Scan:
    """One pass over pieces and windows, from an offset on."""

    def __init__(self, windows: Iterator[Window], start: int, most_noted: int) -> None:
        self._windows, self._most_noted = windows, most_noted
        self._window = memoryview(b"")
        """What is left of the window at hand."""
        self._start = start
        self.position = start
        """Everything before was compared."""
        self.size = 0
        """Of the pieces so far."""
        self.is_complete = True
        """Whether all bytes were compared."""
        self._end: int | None = None
        """Where the object ends, if it was seen."""
        self._head = b""
        self._noted = _Noted()
        self._patches: list[Piece] = []

    @property
    def compared(self) -> int:
        """Bytes that were looked at."""
        return self.position - self._start

    def run(self, pieces: Iterable[Piece]) -> None:
        """Compare all pieces; raises what reading raises."""
        for offset, data in pieces:
            end = offset + len(data)
            if offset < self.size:
                self._patches.append(Piece(offset, bytes(data)))
                continue
            self.size = end
            if end > self.position and self._end is None and self.is_complete:
                self._pass(memoryview(data)[self.position - offset :])
        if self._end is None and self.is_complete and not self._more():
            self._end = self.position

    def _pass(self, expected: memoryview) -> None:
        """Compare with the object's next bytes."""
        while expected:
            if not self._more():
                self._end = self.position
                return
            count = min(len(expected), len(self._window))
            self._note(expected[:count], self._window[:count])
            expected, self._window = expected[count:], self._window[count:]
            self.position += count
            if self._noted.count >= self._most_noted:
                self.is_complete = False
                return

    def _more(self) -> bool:
        """Have something in the window; False where the object ends."""
        while not self._window:
            window = next(self._windows, None)
            if window is None:
                return False
            self._window = window.data
            if not self.position:
                self._head = bytes(window.data[:_HEAD_BYTES])
        return True

    def _note(self, expected: memoryview, found: memoryview) -> None:
        a, b = np.frombuffer(expected, np.uint8), np.frombuffer(found, np.uint8)
        words = len(a) - len(a) % _WORD
        # In words it is twice as fast, and mostly nothing differs.
        same = not (a[:words].view(np.uint64) != b[:words].view(np.uint64)).any()
        if not same or (a[words:] != b[words:]).any():
            self._noted.add(self.position, a, b)

    def first_difference(self, glance: Glance) -> Difference | None:
        """After ``run``. None where there is none in what was compared."""
        patches = merged(self._patches)
        candidates = [self._noted.first_outside(patches), self._in_patches(patches, glance), self._at_the_end()]
        return min((found for found in candidates if found is not None), default=None, key=lambda found: found.offset)

    def _in_patches(self, patches: tuple[Piece, ...], glance: Glance) -> Difference | None:
        """The first byte that is not as patched, of those within what was compared."""
        for offset, data in patches:
            first, last = max(offset, self._start), min(offset + len(data), self.position)
            if first >= last:
                continue
            expected = np.frombuffer(data, np.uint8)[first - offset : last - offset]
            found = np.frombuffer(self._found(first, last - first, glance), np.uint8)
            places = np.flatnonzero(expected[: len(found)] != found)
            if len(places):
                at = int(places[0])
                return Difference(first + at, Kind.DIFFERENT, int(expected[at]), int(found[at]))
        return None

    def _found(self, offset: int, length: int, glance: Glance) -> bytes:
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        return glance(offset, length)

    def _at_the_end(self) -> Difference | None:
        """The first byte that is missing or too much."""
        if self._end is None:
            return Difference(self.size, Kind.LONGER) if self.is_complete else None
        return Difference(self._end, Kind.SHORTER) if self._end < self.size else None
