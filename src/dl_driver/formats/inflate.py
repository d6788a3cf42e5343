# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are one gzip or zlib stream: written and read a piece at a time, never more in memory than asked for."""

import zlib
from collections.abc import Iterator
from typing import Any

from dl_driver.errors import FormatError
from dl_driver.formats.base import FormatOptions
from dl_driver.storage.base import Piece

_WINDOW_BITS = {"gzip": 31, "zlib": 15}
_CHUNK = 1 << 16
USUAL_RATIO = 4
"""Most by which data are taken to shrink, where nothing tells."""


def deflated(pieces: Iterator[Piece], options: FormatOptions) -> Iterator[Piece]:
    """A file's pieces as one stream; of two equal inputs, the same bytes."""
    packer = zlib.compressobj(options.compression_level, wbits=_WINDOW_BITS[options.compression])
    at = 0
    for piece in pieces:
        data = packer.compress(piece.data)
        if data:
            yield Piece(at, data)
            at += len(data)
    yield Piece(at, packer.flush())


def most_deflated(plain: int) -> int:
    """What a stream of so many bytes takes at most: five bytes for each block that does not shrink, and the ends."""
    return plain + 5 * (plain // 16383 + 1) + 64


class Inflater:
    """The bytes of one stream, in order. Raises FormatError where the stream is damaged or ends too early."""

    def __init__(self, data: memoryview, compression: str) -> None:
        self._compression = compression
        self._unpacker: Any = zlib.decompressobj(wbits=_WINDOW_BITS[compression])
        self._rest: memoryview | bytes = data
        self._ready = memoryview(b"")
        self.position = 0
        """Bytes handed out."""

    def at_end(self) -> bool:
        """Whether the stream is over, and whole."""
        return not self._ready and not self._more()

    def read(self, count: int, what: str) -> bytes:
        """The next bytes; ``what`` they are, for the message."""
        into = bytearray(count)
        self.read_into(memoryview(into), what)
        return bytes(into)

    def read_into(self, into: memoryview, what: str) -> None:
        """Fill ``into``."""
        at = 0
        while at < len(into):
            part = self._next(len(into) - at, what)
            into[at : at + len(part)] = part
            at += len(part)

    def skip(self, count: int, what: str) -> None:
        """Pass over bytes."""
        while count:
            count -= len(self._next(count, what))

    def _next(self, most: int, what: str) -> memoryview:
        if not self._ready and not self._more():
            raise FormatError(f"the {self._compression} stream holds {self.position} bytes and ends within {what}")
        part, self._ready = self._ready[:most], self._ready[most:]
        self.position += len(part)
        return part

    def _more(self) -> bool:
        """Unpack some more; False where the stream is over."""
        while not self._ready and not self._unpacker.eof:
            try:
                out = self._unpacker.decompress(self._rest, _CHUNK)
            except zlib.error as error:
                raise FormatError(f"the {self._compression} stream is damaged: {error}") from error
            before, self._rest = len(self._rest), self._unpacker.unconsumed_tail
            self._ready = memoryview(out)
            if not out and not self._unpacker.eof and len(self._rest) in (0, before):
                raise FormatError(f"the {self._compression} stream ends before it is complete")
        if not self._ready and self._unpacker.unused_data:
            raise FormatError(f"bytes follow the {self._compression} stream")
        return bool(self._ready)
