# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PNG: one grey image a file, its pixels not compressed, so that its size is known.

Random pixels cannot be compressed: any encoder ends up storing them. Rows are written unfiltered in deflate's stored
blocks, as many rows as fit into a chunk of 64 KiB, so the pixels are the content's bytes and a file is longer than they
by less than 0.1 % and a byte a row.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from isal import isal_zlib

from dl_driver.formats.base import DEFAULTS, ContentReader, FormatOptions, RecordSpec, SparseFile
from dl_driver.formats.checksum import crc32
from dl_driver.formats.images import ImageFile
from dl_driver.formats.png_header import SIGNATURE
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece

_STORED = 0xFFFF
"""Most bytes of a stored block."""
_BLOCK_HEADER, _CHUNK_FRAME, _IHDR_DATA = 5, 12, 13
_DEFLATE_HEADER = b"\x78\x01"
_CHECKSUM = 4
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", crc32(b"IEND"))


class Png(ImageFile):
    """See Format."""

    name = "png"
    suffix = "png"
    max_side = 1_000_000

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._sparse = lru_cache(maxsize=64)(self._made_up)

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        self.check(spec)
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        for part in _parts(spec, fill):
            yield from writer.text(part.data)
        yield from writer.finish()
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        self.check(spec)
        rows, columns = spec.dims
        band, line = _band_rows(columns), columns + 1
        bands, rest = divmod(rows, band)
        around = len(SIGNATURE) + _CHUNK_FRAME + _IHDR_DATA + len(_DEFLATE_HEADER) + _CHECKSUM + len(_END)
        return around + bands * _band_bytes(band * line) + (_band_bytes(rest * line) if rest else 0)

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """See Format."""
        return self._sparse(spec)

    def _made_up(self, spec: RecordSpec) -> SparseFile:
        self.check(spec)
        at, pieces = 0, []
        for part in _parts(spec, _zeros):
            if not part.is_pixels:
                pieces.append(Piece(at, part.data))
            at += len(part.data)
        return SparseFile(at, tuple(pieces))


class _Part(NamedTuple):
    """Bytes that follow those before."""

    data: bytes | memoryview
    is_pixels: bool = False


def _band_rows(columns: int) -> int:
    """Rows of a chunk."""
    return max(1, _STORED // (columns + 1))


def _band_bytes(raw: int) -> int:
    """A chunk's, of so many bytes of rows."""
    return _CHUNK_FRAME + -(-raw // _STORED) * _BLOCK_HEADER + raw


def _zeros(offset: int, into: memoryview) -> None:
    into[:] = bytes(len(into))


def _parts(spec: RecordSpec, fill: ContentReader) -> Iterator[_Part]:
    """The file. Pixels lie in memory that is used again."""
    rows, columns = spec.dims
    header = b"IHDR" + struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    yield _Part(SIGNATURE + struct.pack(">I", _IHDR_DATA) + header + struct.pack(">I", crc32(header)))
    band = min(rows, _band_rows(columns))
    pixels = np.empty((band, columns), np.uint8)
    lines = np.zeros((band, columns + 1), np.uint8)  # each begins with the number of its filter, none
    adler = 1
    for first in range(0, rows, band):
        count = min(band, rows - first)
        fill(first * columns, pixels[:count].data.cast("B"))
        lines[:count, 1:] = pixels[:count]
        raw = lines[:count].data.cast("B")
        adler = isal_zlib.adler32(raw, adler)
        last = first + count == rows
        yield from _chunk(raw, _DEFLATE_HEADER if first == 0 else b"", struct.pack(">I", adler) if last else b"")
    yield _Part(_END)


def _chunk(raw: memoryview, before: bytes, behind: bytes) -> Iterator[_Part]:
    """A chunk of pixels as stored blocks; what is ``behind`` them ends the stream."""
    length = _band_bytes(len(raw)) - _CHUNK_FRAME + len(before) + len(behind)
    frame, crc = struct.pack(">I", length) + b"IDAT" + before, crc32(b"IDAT" + before)
    for at in range(0, len(raw), _STORED):
        block = raw[at : at + _STORED]
        final = bool(behind) and at + _STORED >= len(raw)
        head = struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF)
        yield _Part(frame + head)
        yield _Part(block, is_pixels=True)
        frame, crc = b"", crc32(block, crc32(head, crc))
    yield _Part(behind + struct.pack(">I", crc32(behind, crc)))
