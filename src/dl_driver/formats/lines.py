# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats of text whose samples are lines.

A file of one sample is read whole. Of a file of several a worker reads through once to find where its lines are, and
keeps that: a few bytes where all lines have one length, else 16 bytes a line. A line ends with a newline, the last one
too, so that a file that was cut is noticed.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from dl_driver.errors import FormatError
from dl_driver.formats.base import DEFAULTS, ContentReader, Format, FormatOptions, Indexing, Reading, RecordSpec
from dl_driver.formats.packing import WHOLE_FILES
from dl_driver.formats.spans import (
    FileIndex,
    Group,
    Int64,
    Landed,
    Need,
    Placed,
    RegularSpans,
    SpanTable,
    WholeFile,
    coalesce,
    span_index,
)
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece

_NEWLINE = 10
_BLOCK_BYTES = 1 << 20
_BLOCKS = 8
"""Asked for at once."""
_CONTENT_BYTES = 1 << 16
"""Of a sample's content, turned into text at once; a multiple of every element's size."""


class LineFormat(Format):
    """See Format; a subclass says what a line holds."""

    packs = WHOLE_FILES
    streams = False

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        content = memoryview(bytearray(min(_CONTENT_BYTES, spec.sample_bytes)))
        for sample in range(spec.num_samples):
            for text in self._line(spec, fill, sample * spec.sample_bytes, content):
                yield from writer.text(text)
        yield from writer.finish()
        self._spare.give_back(buffer)

    def _line(self, spec: RecordSpec, fill: ContentReader, start: int, content: memoryview) -> Iterator[bytes]:
        """The text of the sample whose content begins at ``start``, newline included, in parts."""
        raise NotImplementedError

    def decode_line(self, line: memoryview, into: memoryview) -> Placed:
        """Turn a line, without its newline, into arrays in ``into``. Raises FormatError, or DataError where there is
        not enough room."""
        raise NotImplementedError

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.UNPACKED

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        if samples_per_file == 1:
            yield from ()
            return WholeFile(1)
        lines, at = _LineEnds(), 0
        while True:
            answers = yield [Need(key, at + number * _BLOCK_BYTES, _BLOCK_BYTES) for number in range(_BLOCKS)]
            for block in answers:
                assert block is not None
                lines.add(block)
                if len(block) < _BLOCK_BYTES:
                    return lines.result()
            at += _BLOCKS * _BLOCK_BYTES

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        if isinstance(index, WholeFile):
            return index.group(samples)
        assert isinstance(index, RegularSpans | SpanTable)
        return coalesce(index, samples, limit)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        data = landed.span()
        places = group.places or ((0, len(data)),)
        placed, room = [], 0
        for sample, (start, length) in zip(group.samples, places, strict=True):
            line = data[start : start + length]
            if not length or line[-1] != _NEWLINE:
                raise FormatError(f"line {sample + 1} does not end with a newline; the file was cut")
            if not group.places and bytes(line[:-1]).find(b"\n") >= 0:
                raise FormatError("holds several lines, one was expected; check dataset.num_samples_per_file")
            try:
                decoded = self.decode_line(line[: length - 1], into[room:])
            except FormatError as error:
                raise FormatError(f"line {sample + 1}: {error}") from error
            placed.append(decoded._replace(start=room + decoded.start))
            room += -(-(decoded.start + decoded.length) // 64) * 64
        return placed


class _LineEnds:
    """Where lines end, found a block at a time."""

    def __init__(self) -> None:
        self._seen = 0
        self._ends: list[Int64] = []

    def add(self, block: memoryview) -> None:
        """The file's next bytes."""
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
        self._ends.append(ends + (self._seen + 1))
        self._seen += len(block)

    def result(self) -> RegularSpans | SpanTable:
        """After the last block. Raises FormatError."""
        ends = np.concatenate(self._ends) if self._ends else np.empty(0, np.int64)
        if not self._seen:
            raise FormatError("the file is empty; expected a line a sample")
        if not len(ends) or int(ends[-1]) != self._seen:
            raise FormatError(f"line {len(ends) + 1} does not end with a newline; the file was cut")
        starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
        return span_index(starts, ends - starts)


def content_parts(
    spec: RecordSpec, fill: ContentReader, start: int, content: memoryview
) -> Iterator["np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]:
    """A sample's content in parts, as elements of the record's type."""
    for at in range(0, spec.sample_bytes, len(content)):
        part = content[: min(len(content), spec.sample_bytes - at)]
        fill(start + at, part)
        yield np.frombuffer(part, spec.dtype)
