# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing a file as windows of one reused buffer.

Whatever a file consists of (headers, content, zeros) is laid into the buffer one after another; a full buffer leaves
as one piece. Content that fills one begins one, so it is made in whole blocks and at a word's address. It is made where
the kernel takes it from, and its CRC runs while it is in the cache.
"""

import mmap
from collections.abc import Callable, Generator, Iterator

from dl_driver.formats.base import ContentReader
from dl_driver.formats.checksum import crc32
from dl_driver.storage.base import Piece

Checksum = Callable[[memoryview, int], int]
"""``checksum(data, crc)``: continued from ``crc``."""

WINDOW_BYTES = 512 * 1024
"""Fits a core's second-level cache; larger ones were slower, smaller ones spend more calls."""


class WindowWriter:
    """Yields a file's pieces; each method is a generator of those that became full."""

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self._start = 0
        """Where in the file the buffer's first byte goes."""
        self._used = 0
        self._patches: list[Piece] = []

    @property
    def position(self) -> int:
        """Of the next byte in the file."""
        return self._start + self._used

    def text(self, data: bytes | memoryview) -> Iterator[Piece]:
        """Bytes that are at hand."""
        at = 0
        while at < len(data):
            into = yield from self._room(len(data) - at)
            into[:] = data[at : at + len(into)]
            at += len(into)

    def zeros(self, count: int) -> Iterator[Piece]:
        """Zero bytes."""
        while count:
            into = yield from self._room(count)
            into[:] = bytes(len(into))
            count -= len(into)

    def content(
        self, fill: ContentReader, length: int, crc: int = 0, *, start: int = 0, checksum: Checksum = crc32
    ) -> Generator[Piece, None, int]:
        """``length`` bytes of the content, from ``start`` on; returns their CRC, continued from ``crc``."""
        if length >= len(self._buffer):
            yield from self._flush()
        offset = 0
        while offset < length:
            into = yield from self._room(length - offset)
            fill(start + offset, into)
            crc = checksum(into, crc)
            offset += len(into)
        return crc

    def stretch(self, length: int) -> Generator[Piece, None, memoryview]:
        """Room for so many bytes, a window's at most, in one; to be filled before more is asked for."""
        if self._used + length > len(self._buffer):
            yield from self._flush()
        return (yield from self._room(length))

    def patch(self, offset: int, data: bytes) -> None:
        """Replace what was written at ``offset``: in the buffer where it is still there, else at the file's end."""
        if offset >= self._start:
            at = offset - self._start
            self._buffer[at : at + len(data)] = data
        else:
            self._patches.append(Piece(offset, data))

    def finish(self) -> Iterator[Piece]:
        """What is left."""
        yield from self._flush()
        yield from self._patches

    def _room(self, wanted: int) -> Generator[Piece, None, memoryview]:
        """For as many of these bytes as still fit in, one at least."""
        if self._used == len(self._buffer):
            yield from self._flush()
        into = self._buffer[self._used : self._used + wanted]
        self._used += len(into)
        return into

    def _flush(self) -> Iterator[Piece]:
        if self._used:
            yield Piece(self._start, self._buffer[: self._used])
            self._start, self._used = self._start + self._used, 0


class SpareBuffer:
    """One window's memory, kept between files; a second file at the same time gets memory of its own."""

    def __init__(self) -> None:
        self._spare: memoryview | None = None

    def borrow(self) -> memoryview:
        """A window nobody else uses."""
        buffer, self._spare = self._spare, None
        # A mapping begins at a page, which is also a word's address.
        return memoryview(mmap.mmap(-1, WINDOW_BYTES)) if buffer is None else buffer

    def give_back(self, buffer: memoryview) -> None:
        """For the next file."""
        self._spare = buffer
