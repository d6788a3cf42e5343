# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HDF5, as DLIO lays it out: data sets ``records_0``, ``records_1``, ... with a row a sample, and ``labels``.

Only the samples' data sets are delivered, as DLIO reads them. Contiguous ones are read straight into the batch; chunks
are read into a buffer and unpacked from there.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    Indexing,
    Layout,
    Reading,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.hdf5_index import Chunks, Hdf5Index, Rows, index_bytes, index_file
from dl_driver.formats.hdf5_write import data_sets, skeleton, write_chunked, write_contiguous
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, Span, too_large
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece

Values = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

_LINE = 64
_MAX_TEMPLATES = 256


class Hdf5File(Format):
    """See Format."""

    name = "hdf5"
    suffix = "hdf5"
    compressions: ClassVar[frozenset[str]] = frozenset({"none", "gzip", "lzf"})
    streams = False

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._chunked = bool(options.compression != "none" or options.hdf5.chunk_dims or options.hdf5.max_shape)
        self._spare = SpareBuffer()
        self._templates: dict[int, _Template] = {}
        self._layouts: dict[tuple[Any, ...], Layout] = {}
        self._by_h5py = 0

    # Writing

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        sets = data_sets(spec, self.options.hdf5)
        if self._chunked:
            yield from write_chunked(sets, fill, self.options)
            return
        buffer = self._spare.borrow()
        yield from write_contiguous(sets, fill, WindowWriter(buffer))
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return None if self._chunked else skeleton(data_sets(spec, self.options.hdf5)).size

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format: chunks at an edge are written whole, and each has an entry of its own in an index."""
        size = self.file_size(spec)
        if size is not None:
            return size
        sets = data_sets(spec, self.options.hdf5)
        chunk = self.options.hdf5.chunk_dims
        if not chunk:
            return 2 * spec.payload_bytes + (1 << 20)
        counts = [-(-side // part) for side, part in zip(sets.shape, chunk, strict=False)]
        chunks = int(np.prod(counts, dtype=np.int64)) * sets.count
        chunk_bytes = int(np.prod(chunk, dtype=np.int64)) * np.dtype(spec.dtype).itemsize
        return chunks * (chunk_bytes + chunk_bytes // 16 + 256) + (1 << 20)

    def sparse(self, spec: RecordSpec) -> SparseFile | None:
        """See Format."""
        if self._chunked:
            return None
        frame = skeleton(data_sets(spec, self.options.hdf5))
        return SparseFile(frame.size, frame.pieces)

    # Reading

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        if self._chunked:
            return Reading.UNPACKED
        return Reading.WHOLE if samples_per_file == 1 else Reading.SPANS

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if record is None:
            return super().sample_bytes(None, file_bytes * (4 if self._chunked else 1), samples_per_file)
        return record.sample_bytes + _LINE * self.options.hdf5.num_dset_per_record

    def spans_per_sample(self) -> int:
        """See Format."""
        return self.options.hdf5.num_dset_per_record

    @property
    def libraries(self) -> str:
        """See Format."""
        import h5py

        return f"h5py {h5py.version.version} with HDF5 {h5py.version.hdf5_version}"

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return {"HDF5 chunks that h5py unpacked": self._by_h5py}

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        template = self._templates.get(len(data))
        if template is not None and template.matches(data):
            return template.layout
        index = index_bytes(data)
        self._check_contiguous(index)
        if index.num_samples != 1:
            raise DataError(f"holds {index.num_samples} samples, expected one; check dataset.num_samples_per_file")
        rows = [array for array in index.arrays if isinstance(array, Rows)]
        if len(self._templates) >= _MAX_TEMPLATES:
            self._templates.clear()
        template = self._templates[len(data)] = _Template(data, rows)
        return template.layout

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        return (yield from index_file(key))

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        assert isinstance(index, Hdf5Index)
        if not self._chunked:
            self._check_contiguous(index)
            return _runs(index, samples, limit)
        return _chunk_groups(index, samples, limit)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        assert isinstance(index, Hdf5Index)
        if not self._chunked:
            return self._place_rows(index, group, landed)
        return self._unpack(index, group, landed, into)

    def _check_contiguous(self, index: Hdf5Index) -> None:
        if not index.is_contiguous:
            raise DataError(
                "its data sets are in chunks, expected contiguous ones; set dataset.hdf5.chunk_dims or"
                " dataset.compression as the files are (the loader's compression='gzip')"
            )

    def _place_rows(self, index: Hdf5Index, group: Group, landed: Landed) -> list[Placed]:
        rows = [array for array in index.arrays if isinstance(array, Rows)]
        placed = []
        for number in range(len(group.samples)):
            starts = [start + number * array.row_bytes for start, array in zip(landed.starts, rows, strict=True)]
            offsets = tuple(start - starts[0] for start in starts)
            length = offsets[-1] + rows[-1].row_bytes
            placed.append(Placed(starts[0], length, self._layout(rows, offsets)))
        return placed

    def _unpack(self, index: Hdf5Index, group: Group, landed: Landed, into: memoryview) -> list[Placed]:
        """Every chunk of the group, cut up over the samples it holds a part of."""
        parts, size = _places_in_sample(index)
        distance = -(-size // _LINE) * _LINE
        if len(group.samples) * distance > len(into):
            raise too_large(len(group.samples) * distance, len(into))
        layout = self._layout(index.arrays, tuple(parts))
        order = iter(group.places)
        for array, at in zip(index.arrays, parts, strict=True):
            outs = [
                np.ndarray(array.shape, array.dtype, into, number * distance + at)
                for number in range(len(group.samples))
            ]
            if isinstance(array, Rows):
                for out in outs:
                    span, start = next(order)
                    source = landed.span(span)
                    out[...] = np.ndarray(array.shape, array.dtype, source, start)
                continue
            before = array.decoder.by_h5py
            for where in _chunks_of(array, group.samples):
                _spread(array, where, _block(array, where, next(order), landed), group.samples, outs)
            self._by_h5py += array.decoder.by_h5py - before
        return [Placed(number * distance, size, layout) for number in range(len(group.samples))]

    def _layout(self, arrays: "Sequence[Rows | Chunks]", offsets: tuple[int, ...]) -> Layout:
        """One object for all samples that are alike."""
        key = (offsets, *((array.name, array.dtype, array.shape) for array in arrays))
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _MAX_TEMPLATES:
                self._layouts.clear()
            layout = tuple(
                ArraySpec(array.name, array.dtype, array.shape, offset)
                for array, offset in zip(arrays, offsets, strict=True)
            )
            self._layouts[key] = layout
        return layout


class _Template:
    """A file's bytes but for its samples: another file with the same ones is laid out alike."""

    __slots__ = ("_constant", "_expected", "layout")

    def __init__(self, data: memoryview, rows: Sequence[Rows]) -> None:
        spans = sorted((array.offset, array.offset + array.row_bytes) for array in rows)
        parts, at = ["<"], 0
        for start, end in spans:
            parts.append(f"{start - at}s{end - start}x")
            at = end
        self._constant = struct.Struct("".join(parts) + f"{len(data) - at}s")
        self._expected = self._constant.unpack_from(data)
        self.layout: Layout = tuple(ArraySpec(array.name, array.dtype, array.shape, array.offset) for array in rows)

    def matches(self, data: memoryview) -> bool:
        """For data of the same length."""
        return self._constant.unpack_from(data) == self._expected


def _runs(index: Hdf5Index, samples: Sequence[int], limit: int) -> list[Group]:
    """Runs of samples, a span in each data set."""
    rows = [array for array in index.arrays if isinstance(array, Rows)]
    most = max(1, limit // sum(array.row_bytes for array in rows))
    groups, begun = [], 0
    for number in range(1, len(samples) + 1):
        if number < len(samples) and samples[number] == samples[number - 1] + 1 and number - begun < most:
            continue
        run = samples[begun:number]
        spans = [Span(array.offset + run[0] * array.row_bytes, len(run) * array.row_bytes) for array in rows]
        groups.append(Group(spans, run))
        begun = number
    return groups


def _chunk_groups(index: Hdf5Index, samples: Sequence[int], limit: int) -> list[Group]:
    """Samples that share chunks, and further ones while all their chunks together are within the limit."""
    groups: list[Group] = []
    chunk_rows = max((array.chunk[0] for array in index.arrays if isinstance(array, Chunks)), default=1)
    pending: list[int] = []
    for number, sample in enumerate(samples):
        pending.append(sample)
        following = samples[number + 1] if number + 1 < len(samples) else None
        if following is not None and following // chunk_rows == sample // chunk_rows:
            continue
        group = _chunk_group(index, pending)
        if groups:
            joined = _chunk_group(index, [*groups[-1].samples, *pending])
            if sum(span.length for span in joined.spans) <= limit:
                groups[-1], pending = joined, []
                continue
        groups.append(group)
        pending = []
    return groups


def _chunk_group(index: Hdf5Index, samples: Sequence[int]) -> Group:
    """One group for these samples; chunks that touch in the file are one span. ``places``: span and offset in it of
    every chunk, in the order of ``_unpack``; span -1 where a chunk was never written."""
    spans: list[Span] = []
    places: list[tuple[int, int]] = []
    for offset, size in _wanted(index, samples):
        if offset < 0:
            places.append((-1, 0))
        elif spans and spans[-1].offset + spans[-1].length == offset:
            places.append((len(spans) - 1, spans[-1].length))
            spans[-1] = Span(spans[-1].offset, spans[-1].length + size)
        else:
            places.append((len(spans), 0))
            spans.append(Span(offset, size))
    return Group(spans or [Span(0, 1)], list(samples), places)


def _wanted(index: Hdf5Index, samples: Sequence[int]) -> Iterator[tuple[int, int]]:
    for array in index.arrays:
        if isinstance(array, Rows):
            yield from ((array.offset + sample * array.row_bytes, array.row_bytes) for sample in samples)
        else:
            yield from ((int(array.offsets[where]), int(array.sizes[where])) for where in _chunks_of(array, samples))


def _chunks_of(array: Chunks, samples: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The grid positions of all chunks that hold something of these samples."""
    for row in sorted({sample // array.chunk[0] for sample in samples}):
        yield from ((row, *rest) for rest in np.ndindex(array.offsets.shape[1:]))


def _block(array: Chunks, where: tuple[int, ...], place: tuple[int, int], landed: Landed) -> Values:
    """One chunk's values."""
    span, start = place
    if span < 0:
        return np.full(array.chunk, np.frombuffer(array.fill, array.dtype)[0])
    packed = landed.span(span)[start : start + int(array.sizes[where])]
    return array.decoder.unpack(packed, int(array.masks[where])).view(array.dtype).reshape(array.chunk)


def _spread(
    array: Chunks, where: tuple[int, ...], block: Values, samples: Sequence[int], outs: Sequence[Values]
) -> None:
    """One chunk's part of each sample."""
    sides = zip(where[1:], array.chunk[1:], array.shape, strict=True)
    region = tuple(slice(at * part, min((at + 1) * part, side)) for at, part, side in sides)
    within = tuple(slice(0, part.stop - part.start) for part in region)
    first = where[0] * array.chunk[0]
    for sample, out in zip(samples, outs, strict=True):
        if first <= sample < first + array.chunk[0]:
            out[region] = block[sample - first][within]


def _places_in_sample(index: Hdf5Index) -> tuple[list[int], int]:
    """Where each array of an unpacked sample goes, and how long the sample is."""
    places, at = [], 0
    for array in index.arrays:
        item = np.dtype(array.dtype).itemsize
        at = -(-at // item) * item
        places.append(at)
        at += int(np.prod(array.shape, dtype=np.int64)) * item
    if at == 0:
        raise FormatError("its samples are empty")
    return places, at
