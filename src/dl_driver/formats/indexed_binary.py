# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexed binary, as language models are trained from: samples one after another without any container.

Two objects beside the file say where they are: ``FILE.off.idx`` their offsets, ``FILE.sz.idx`` their sizes, each an
array of little-endian uint64. The two are read in blocks. As long as all samples have one size and distance nothing of
them is kept, so an index of hundreds of millions of samples takes a few bytes; one of other samples takes 16 bytes a
sample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np

from dl_driver.errors import FormatError
from dl_driver.formats.base import (
    Indexing,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.raw import Raw
from dl_driver.formats.spans import (
    Int64,
    Need,
    RegularSpans,
    SpanTable,
    span_index,
)
from dl_driver.storage.base import Piece

_ENTRY = 8
_BLOCK_ENTRIES = 1 << 17
_BLOCK_BYTES = _BLOCK_ENTRIES * _ENTRY
_MOST_BLOCKS = 8
"""Of each of the two objects, asked for at once."""


@dataclass(frozen=True, slots=True)
class IndexObject:
    """``NAME.off.idx`` or ``NAME.sz.idx`` beside NAME."""

    ending: str

    def key(self, main: str) -> str | None:
        """See Companion."""
        return main + self.ending

    def main(self, key: str) -> str | None:
        """See Companion."""
        return key.removesuffix(self.ending) if key.endswith(self.ending) else None


_OFFSETS, _SIZES = IndexObject(".off.idx"), IndexObject(".sz.idx")


class IndexedBinary(Raw):
    """See Format; a raw file whose samples are found through its companions."""

    name = "indexed_binary"
    suffix = "indexed_binary"
    any_name = False
    packs: ClassVar[frozenset[str]] = frozenset()
    indexed_by_size = False
    companions: tuple[IndexObject, ...] = (_OFFSETS, _SIZES)

    def encode_companion(self, spec: RecordSpec, number: int) -> Iterator[Piece]:
        """See Format."""
        return iter(_index_pieces(spec, number))

    def sparse_companion(self, spec: RecordSpec, number: int) -> SparseFile:
        """See Format."""
        return SparseFile(_ENTRY * spec.num_samples, _index_pieces(spec, number))

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        collector, at, blocks, whole = _Collector(), 0, 1, True
        while whole:
            starts = [at + number * _BLOCK_BYTES for number in range(blocks)]
            objects = (key + _OFFSETS.ending, key + _SIZES.ending)
            answers = yield [Need(name, start, _BLOCK_BYTES) for start in starts for name in objects]
            for offsets, sizes in zip(answers[::2], answers[1::2], strict=True):
                assert offsets is not None
                assert sizes is not None
                if whole:
                    whole = collector.add(offsets, sizes)
            at, blocks = at + blocks * _BLOCK_BYTES, min(2 * blocks, _MOST_BLOCKS)
        index = collector.result()
        if self._expected is not None:
            _check_entries(index, self._expected)
        return index


class MmapIndexedBinary(IndexedBinary):
    """The same files; dlio_benchmark maps them into memory, here they are read."""

    name = "mmap_indexed_binary"
    suffix = "mmap_indexed_binary"


def _check_entries(index: RegularSpans | SpanTable, length: int) -> None:
    """Raises FormatError where samples have not the length that all have by the workload, or do not begin where such a
    sample can. They need not be in order."""
    # Of those at one distance, two tell of all.
    count = index.num_samples if isinstance(index, SpanTable) else min(2, index.num_samples)
    offsets, sizes = index.of(np.arange(count))
    wrong = np.flatnonzero((sizes != length) | (offsets % length != 0))
    if len(wrong):
        at = int(wrong[0])
        raise FormatError(
            f"its index says that sample {at} has {sizes[at]} bytes from byte {offsets[at]} on; by the workload samples"
            f" have {length} bytes each; check dataset.record_length_bytes (or record_dims) and record_element_type, or"
            " generate the data set again"
        )
    if len(np.unique(offsets)) < len(offsets):
        raise FormatError(
            "its index has several samples begin at one byte, so that reading them all would not read the file;"
            " dlio_benchmark writes such indexes of files longer than its generation_buffer_size: generate the data set"
            " with dl-driver"
        )


class _Collector:
    """The index of a file from its entries, a block at a time; one run of equal distances as long as that holds."""

    def __init__(self) -> None:
        self._count = 0
        self._regular: RegularSpans | None = None
        self._blocks: list[tuple[Int64, Int64]] = []
        """All entries, once they were found to be irregular."""

    def add(self, offset_bytes: memoryview, size_bytes: memoryview) -> bool:
        """Take a block of both objects; False where they end with it. Raises FormatError."""
        if len(offset_bytes) != len(size_bytes) or len(offset_bytes) % _ENTRY:
            raise FormatError(
                f"its index does not fit together: from sample {self._count} on, {_OFFSETS.ending} holds"
                f" {len(offset_bytes)} bytes and {_SIZES.ending} {len(size_bytes)}; expected as many, {_ENTRY} a sample"
            )
        offsets, sizes = (np.frombuffer(data, "<i8") for data in (offset_bytes, size_bytes))
        # What is 2^63 and more as uint64 is negative here, and so is a sum that overflows.
        wrong = np.flatnonzero((offsets < 0) | (sizes <= 0) | (offsets + sizes < 0))
        if len(wrong):
            at = int(wrong[0])
            raise FormatError(
                f"its index says that sample {self._count + at} has {sizes.view(np.uint64)[at]} bytes from byte"
                f" {offsets.view(np.uint64)[at]} on, which no file can hold"
            )
        if len(offsets) and (self._blocks or not self._goes_on(offsets, sizes)):
            self._keep(offsets, sizes)
        self._count += len(offsets)
        return len(offset_bytes) == _BLOCK_BYTES

    def result(self) -> RegularSpans | SpanTable:
        """After the last block."""
        if self._regular is not None:
            return self._regular
        if not self._blocks:
            raise FormatError(f"its index ({_OFFSETS.ending}, {_SIZES.ending}) is empty; generate the data set again")
        offsets, sizes = (np.concatenate(part) for part in zip(*self._blocks, strict=True))
        return SpanTable(offsets, sizes)

    def _goes_on(self, offsets: Int64, sizes: Int64) -> bool:
        """Whether all so far lie at one distance; counts them in if so."""
        before = self._regular
        found = span_index(offsets, sizes)
        if not isinstance(found, RegularSpans):
            return False
        if before is not None:
            follows = before.first + before.num_samples * before.stride == found.first
            alike = before.length == found.length and (found.num_samples == 1 or found.stride == before.stride)
            if not (follows and alike):
                return False
            found = RegularSpans(before.num_samples + len(offsets), before.first, before.stride, before.length)
        self._regular = found
        return True

    def _keep(self, offsets: Int64, sizes: Int64) -> None:
        if self._regular is not None:
            self._blocks.append(self._regular.of(np.arange(self._regular.num_samples)))
            self._regular = None
        self._blocks.append((offsets.copy(), sizes.copy()))


@dataclass(frozen=True, slots=True)
class _Progression(Sequence[Piece]):
    """``first + i * step`` as uint64 for all i below ``entries``; computed, never held."""

    first: int
    step: int
    entries: int

    def __len__(self) -> int:
        return (self.entries + _BLOCK_ENTRIES - 1) // _BLOCK_ENTRIES

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Piece]: ...
    def __getitem__(self, index: int | slice) -> Piece | Sequence[Piece]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * _BLOCK_ENTRIES
        numbers = np.arange(start, min(start + _BLOCK_ENTRIES, self.entries), dtype=np.uint64)
        return Piece(start * _ENTRY, (numbers * np.uint64(self.step) + np.uint64(self.first)).astype("<u8").tobytes())


def _index_pieces(spec: RecordSpec, number: int) -> _Progression:
    """Of the offsets (0) or the sizes (1)."""
    size = spec.sample_bytes
    return _Progression(0, size, spec.num_samples) if number == 0 else _Progression(size, 0, spec.num_samples)
