# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JPEG: one grey image a file, written without an encoder, so that its size is known and its bytes are fast to make.

A baseline JPEG is a stream of codes: of each block of 8 x 8 pixels a difference of means, then its other 63
coefficients, each a Huffman code of its number of bits followed by these bits. The codes are the file's own to choose.
Here the code of a coefficient of s bits takes 8 - s bits (0 for seven, 10 for six, ... 1111110 for one; 11111110 ends a
block), so that every coefficient takes exactly one byte, and any byte below 0xfe is one: random bytes are an image of
noise. 0xff, which would need a zero byte behind it, never comes. Blocks end after as many coefficients as make the file
as long as the record, so a file of a x b pixels has a * b bytes.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dl_driver.formats.base import DEFAULTS, ContentReader, FormatOptions, RecordSpec, SparseFile
from dl_driver.formats.images import ImageFile
from dl_driver.formats.windows import SpareBuffer
from dl_driver.storage.base import Piece

_SIDE = 8
_FULL = _SIDE * _SIDE
"""Bytes of a block with all its coefficients."""
_LEAST = 2
"""Of one without any: no difference of means, and its end."""
_STOP = 0xFE
"""The code of no bits: as a block's first byte no difference to the block before, later the block's end."""
_LAST_COEFFICIENT = 0xFD
_END_OF_IMAGE = b"\xff\xd9"


class Jpeg(ImageFile):
    """See Format."""

    name = "jpeg"
    suffix = "jpeg"
    other_suffixes = ("jpg",)
    max_side = 65500

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._sparse = lru_cache(maxsize=4)(self._made_up)

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        self.check(spec)
        buffer, header = self._spare.borrow(), _header(spec.dims)
        buffer[: len(header)] = header
        start, used, content = 0, len(header), 0
        for blocks, length in _blocks(spec):
            left = blocks
            while left:
                fit = min(left, (len(buffer) - len(_END_OF_IMAGE) - used) // length)
                if not fit:
                    yield Piece(start, buffer[:used])
                    start, used = start + used, 0
                    continue
                into = buffer[used : used + fit * length]
                fill(content, into)
                _frame(into, length)
                left, used, content = left - fit, used + len(into), content + len(into)
        buffer[used : used + len(_END_OF_IMAGE)] = _END_OF_IMAGE
        yield Piece(start, buffer[: used + len(_END_OF_IMAGE)])
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        self.check(spec)
        return len(_header(spec.dims)) + sum(run.bytes for run in _blocks(spec)) + len(_END_OF_IMAGE)

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """See Format: no file of this size and cost to decode is mostly zeros, so it is one image of noise, the same
        for all files of one size."""
        return self._sparse(spec)

    def _made_up(self, spec: RecordSpec) -> SparseFile:
        noise = np.random.default_rng(0)

        def fill(offset: int, into: memoryview) -> None:
            into[:] = noise.bytes(len(into))

        pieces = [bytes(data) for _, data in self.encode(spec, fill)]
        whole = b"".join(pieces)
        return SparseFile(len(whole), (Piece(0, whole),))


class _Run(NamedTuple):
    """Blocks of one length."""

    blocks: int
    length: int

    @property
    def bytes(self) -> int:
        return self.blocks * self.length


def _blocks(spec: RecordSpec) -> tuple[_Run, _Run]:
    """How long the blocks are: two lengths, one apart, so that the file is as long as the record if it can be."""
    rows, columns = (-(-side // _SIDE) for side in spec.dims)
    count = rows * columns
    wanted = spec.payload_bytes - len(_header(spec.dims)) - len(_END_OF_IMAGE)
    length, longer = divmod(min(max(wanted, _LEAST * count), _FULL * count), count)
    return _Run(longer, length + 1), _Run(count - longer, length)


def _frame(blocks: memoryview, length: int) -> None:
    """Make random bytes blocks of this length."""
    data = np.frombuffer(blocks, np.uint8)
    np.minimum(data, _LAST_COEFFICIENT, out=data)
    rows = data.reshape(-1, length)
    rows[:, 0] = _STOP
    if length < _FULL:
        rows[:, -1] = _STOP


def _header(dims: tuple[int, ...]) -> bytes:
    """Everything before the first block. All coefficients are taken as they are (quantization by 1)."""
    lengths = bytes([1] * 8 + [0] * 8)
    codes = lengths + bytes(range(7, -1, -1))
    segments = (
        (0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, 0, 1, 1, 0, 0)),
        (0xDB, b"\0" + bytes([1] * _FULL)),
        (0xC0, struct.pack(">BHHB", 8, *dims, 1) + b"\x01\x11\0"),
        (0xC4, b"\x00" + codes),
        (0xC4, b"\x10" + codes),
        (0xDA, b"\x01\x01\0\0\x3f\0"),
    )
    return b"\xff\xd8" + b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments)
