# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where samples lie in a file, and how what was read is handed over.

The vocabulary of the formats that are read through an index: a format asks for bytes (Need) until it has a FileIndex,
turns samples into groups of spans (Group), and is handed the bytes of one group at a time (Landed).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import DataError, FormatError
from dl_driver.storage.base import Piece

if TYPE_CHECKING:
    from dl_driver.formats.base import Layout

Int64 = NDArray[np.int64]


class Need(NamedTuple):
    """Bytes that a format must see. Answered with a memoryview, shorter than asked only where the object ends there."""

    key: str
    offset: int
    """From the object's end where negative, as in Python; an object that is shorter is given whole."""
    length: int
    optional: bool = False
    """An object that does not exist is answered with None; otherwise that is an error."""


class FileIndex(Protocol):
    """Where the samples of one file are. Formats have classes of their own; kept as long as memory allows."""

    @property
    def num_samples(self) -> int:
        """How many there are."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        ...


class Span(NamedTuple):
    """Some bytes of a file."""

    offset: int
    length: int
    """``WHOLE`` with offset 0: the file, however long it is."""


WHOLE = -1


@dataclass(frozen=True, slots=True, eq=False)
class SpanShape:
    """Spans at fixed distances from one another. What is known of a shape can be kept, so it is best one object for
    all groups that have it."""

    offsets: Int64
    """Of each span from the first one's on, ascending."""
    lengths: Int64

    @property
    def length(self) -> int:
        """Of all spans."""
        return int(self.lengths.sum())


@dataclass(frozen=True, slots=True)
class ShapedSpans(Sequence[Span]):
    """Spans of a shape."""

    base: int
    """Offset of the first."""
    shape: SpanShape

    def __len__(self) -> int:
        return len(self.shape.offsets)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Span]: ...
    def __getitem__(self, index: int | slice) -> Span | Sequence[Span]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return Span(self.base + int(self.shape.offsets[index]), int(self.shape.lengths[index]))


class Group(NamedTuple):
    """What is read together: spans, and the samples that they hold."""

    spans: Sequence[Span]
    samples: Sequence[int]
    """Ascending numbers within the file."""
    places: Sequence[Any] = ()
    """What the format needs to find samples in the spans: of ``coalesce``, each one's offset in the span and length."""


class Landed(NamedTuple):
    """The bytes of a group, in memory."""

    data: memoryview
    """Writable; bytes beside the spans are undefined."""
    starts: Sequence[int]
    """Where in ``data`` each span's first byte lies."""
    lengths: Sequence[int]
    """Each span's length; of a whole file what it turned out to be."""

    def span(self, number: int = 0) -> memoryview:
        """One span's bytes."""
        start = self.starts[number]
        return self.data[start : start + self.lengths[number]]


class Placed(NamedTuple):
    """A decoded sample."""

    start: int
    """Where it begins in ``decode_group``'s ``into``."""
    length: int
    layout: "Layout"
    """Offsets count from ``start``; best one object for all samples that are alike."""


@dataclass(frozen=True, slots=True)
class PlacedRows(Sequence[Placed]):
    """Decoded samples at one distance, all alike; for samples so small that each may not cost a step of its own."""

    num_rows: int
    start: int
    stride: int
    """0 where the samples share all their bytes."""
    length: int
    layout: "Layout"

    @property
    def end(self) -> int:
        """Behind the last one."""
        return self.start + (self.num_rows - 1) * self.stride + self.length

    def moved(self, by: int) -> "PlacedRows":
        """The same so many bytes further on."""
        return PlacedRows(self.num_rows, self.start + by, self.stride, self.length, self.layout)

    def __len__(self) -> int:
        return self.num_rows

    @overload
    def __getitem__(self, index: int) -> Placed: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Placed]: ...
    def __getitem__(self, index: int | slice) -> Placed | Sequence[Placed]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.num_rows))]
        if not 0 <= index < self.num_rows:
            raise IndexError(index)
        return Placed(self.start + index * self.stride, self.length, self.layout)


@dataclass(frozen=True, slots=True)
class WholeFile:
    """The index of files that are always read whole."""

    num_samples: int
    nbytes: int = 64

    def group(self, samples: Sequence[int]) -> Sequence[Group]:
        """One read for all of a batch's samples of the file."""
        return (Group((Span(0, WHOLE),), samples),)


@dataclass(frozen=True, slots=True)
class RegularSpans:
    """Samples of one length at one distance."""

    num_samples: int
    first: int
    stride: int
    length: int
    nbytes: int = 64

    def of(self, samples: Int64) -> tuple[Int64, Int64]:
        """Offsets and lengths."""
        return self.first + samples * self.stride, np.full(len(samples), self.length, np.int64)


@dataclass(frozen=True, slots=True)
class SpanTable:
    """Samples anywhere."""

    offsets: Int64
    lengths: Int64

    @property
    def num_samples(self) -> int:
        """See FileIndex."""
        return len(self.offsets)

    @property
    def nbytes(self) -> int:
        """See FileIndex."""
        return self.offsets.nbytes + self.lengths.nbytes

    def of(self, samples: Int64) -> tuple[Int64, Int64]:
        """Offsets and lengths."""
        return self.offsets[samples], self.lengths[samples]


def span_index(offsets: Int64, lengths: Int64) -> RegularSpans | SpanTable:
    """The smaller index of the two that says the same."""
    count = len(offsets)
    if count == 0:
        return SpanTable(offsets, lengths)
    stride = int(offsets[1] - offsets[0]) if count > 1 else int(lengths[0])
    if (lengths == lengths[0]).all() and (np.diff(offsets) == stride).all():
        return RegularSpans(count, int(offsets[0]), stride, int(lengths[0]))
    return SpanTable(offsets, lengths)


def coalesce(index: RegularSpans | SpanTable, samples: Sequence[int], limit: int) -> list[Group]:
    """A group for each run of samples that touch in the file, of at most ``limit`` bytes (or one sample)."""
    offsets, lengths = (array.tolist() for array in index.of(np.asarray(samples, np.int64)))
    groups, begun = [], 0
    start, end = offsets[0], offsets[0] + lengths[0]
    for number in range(1, len(offsets)):
        offset, length = offsets[number], lengths[number]
        if offset == end and offset + length - start <= limit:
            end += length
        else:
            groups.append(_run(samples, offsets, lengths, begun, number))
            begun, start, end = number, offset, offset + length
    groups.append(_run(samples, offsets, lengths, begun, len(offsets)))
    return groups


def _run(samples: Sequence[int], offsets: list[int], lengths: list[int], begun: int, end: int) -> Group:
    start = offsets[begun]
    places = [(offsets[number] - start, lengths[number]) for number in range(begun, end)]
    return Group((Span(start, sum(places[-1])),), samples[begun:end], places)


def check_samples(index: FileIndex, samples: Sequence[int]) -> None:
    """Raises DataError where the file holds fewer."""
    if samples[-1] >= index.num_samples:
        raise DataError(
            f"holds {index.num_samples} samples, number {samples[-1]} was asked for; check dataset.num_samples_per_file"
        )


def too_large(wanted: int, room: int) -> DataError:
    """For a sample that does not fit."""
    return DataError(
        f"a sample takes {wanted} bytes, {room} are left for it in its batch; check dataset.record_length_bytes (or the"
        " loader's max_sample_bytes) against the data set"
    )


def short(wanted_end: int, end: int) -> FormatError:
    """For a file that ends too early."""
    return FormatError(f"the file has no more than {end} bytes, samples in its index reach to byte {wanted_end}")


@dataclass(frozen=True, slots=True)
class RepeatedPieces(Sequence[Piece]):
    """The same bytes at equal distances, between a first and a last piece; computed, never held."""

    start: Piece
    data: bytes
    first: int
    """Offset of the repeated bytes, the first time."""
    distance: int
    times: int
    end: Piece

    def __len__(self) -> int:
        return self.times + 2

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequence[Piece]": ...
    def __getitem__(self, index: int | slice) -> "Piece | Sequence[Piece]":
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index == 0:
            return self.start
        if index == self.times + 1:
            return self.end
        return Piece(self.first + (index - 1) * self.distance, self.data)
