# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HDF5 files as DLIO lays them out, streamed: h5py makes the structure, and never sees contiguous data.

Space for contiguous data is allocated when a data set is created and never filled, so h5py writes its few kilobytes of
structure around holes. These are known at once, for any size, and filled with content as the file is written. Chunks,
whose places depend on how well they are packed, go through h5py, and leave it as soon as it has written them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dl_driver.errors import ConfigError, Problem, RunError
from dl_driver.formats.base import ContentReader, FormatOptions, RecordSpec
from dl_driver.formats.options import Hdf5Options
from dl_driver.formats.pieces import merged
from dl_driver.formats.windows import WindowWriter
from dl_driver.storage.base import Piece


@dataclass(frozen=True, slots=True)
class DataSets:
    """The data sets that hold the samples: ``records_0`` and so on, a row a sample."""

    count: int
    row: tuple[int, ...]
    """Shape of a sample's part in each."""
    num_samples: int
    dtype: str

    @property
    def row_bytes(self) -> int:
        """Bytes of a sample's part."""
        return int(np.prod(self.row, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each data set."""
        return (self.num_samples, *self.row)


def data_sets(spec: RecordSpec, hdf5: Hdf5Options) -> DataSets:
    """How a sample is spread; DLIO leaves out a leading dimension of one. Raises ConfigError."""
    dims = spec.dims[1:] if len(spec.dims) > 1 and spec.dims[0] == 1 else spec.dims
    count = hdf5.num_dset_per_record
    if dims[0] % count:
        message = f"{count} data sets cannot share a first dimension of {dims[0]} evenly"
        raise ConfigError([Problem("dataset.hdf5.num_dset_per_record", message)])
    return DataSets(count, (dims[0] // count, *dims[1:]), spec.num_samples, spec.dtype)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A file's structure around the places of its data."""

    size: int
    pieces: tuple[Piece, ...]
    """Ascending; everything else is data or zeros."""
    offsets: tuple[int, ...]
    """Of each data set's samples."""


@lru_cache(maxsize=1024)
def skeleton(sets: DataSets) -> Skeleton:
    """Of a file of contiguous data sets."""

    tape = _Tape()
    with _create(tape) as file:
        offsets = [_reserve(file, f"records_{number}", sets.shape, sets.dtype) for number in range(sets.count)]
        _reserve(file, "labels", (sets.num_samples,), "int64")
    return Skeleton(tape.size, tape.pieces(), tuple(offsets))


def _reserve(file: Any, name: str, shape: tuple[int, ...], dtype: str) -> int:
    """A contiguous data set that is allocated and not written; returns where its data belong."""
    import h5py

    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    space = h5py.h5s.create_simple(shape)
    identifier = h5py.h5d.create(file.id, name.encode(), kind, space, dcpl=properties)
    return int(identifier.get_offset())


def write_contiguous(sets: DataSets, fill: ContentReader, writer: WindowWriter) -> Iterator[Piece]:
    """The structure, and the content in its holes."""
    frame = skeleton(sets)
    whole = sets.row_bytes * sets.num_samples
    parts: list[tuple[int, int, bytes]] = [(piece.offset, -1, bytes(piece.data)) for piece in frame.pieces]
    parts += [(offset, number, b"") for number, offset in enumerate(frame.offsets)]
    for offset, number, data in sorted(parts):
        yield from writer.zeros(offset - writer.position)
        if number < 0:
            yield from writer.text(data)
        else:
            yield from writer.content(fill, whole, start=number * whole, checksum=_no_checksum)
    yield from writer.zeros(frame.size - writer.position)
    yield from writer.finish()


def _no_checksum(data: memoryview, crc: int) -> int:
    return crc


def write_chunked(sets: DataSets, fill: ContentReader, options: FormatOptions) -> Iterator[Piece]:
    """A file whose data sets are in chunks, packed or not."""

    tape = _Tape()
    size, whole = sets.row_bytes, sets.row_bytes * sets.num_samples
    row = np.empty(size, np.uint8)
    with _create(tape) as file:
        made = [_create_chunked(file, f"records_{number}", sets, options) for number in range(sets.count)]
        file.create_dataset("labels", data=np.zeros(sets.num_samples, np.int64), track_times=False)
        for number, data_set in enumerate(made):
            for first in range(0, sets.num_samples, data_set.chunks[0]):
                rows = range(first, min(first + data_set.chunks[0], sets.num_samples))
                block = np.empty((len(rows), *sets.row), sets.dtype)
                for at, sample in enumerate(rows):
                    fill(number * whole + sample * size, row.data)
                    block[at] = row.view(sets.dtype).reshape(sets.row)
                data_set[rows.start : rows.stop] = block
                yield from tape.take()
    yield from tape.take(last=True)


def _create_chunked(file: Any, name: str, sets: DataSets, options: FormatOptions) -> Any:
    hdf5 = options.hdf5
    maximum = (sets.num_samples, *hdf5.max_shape) if hdf5.max_shape else None
    packing = None if options.compression == "none" else options.compression
    level = options.compression_level if packing == "gzip" else None
    try:
        return file.create_dataset(
            name, sets.shape, sets.dtype, chunks=hdf5.chunk_dims or True, maxshape=maximum,
            compression=packing, compression_opts=level, track_times=False,
        )  # fmt: skip
    except ValueError as error:
        shape = f"data sets of shape {sets.shape}"
        raise ConfigError([Problem("dataset.hdf5", f"h5py refuses {shape} with these settings: {error}")]) from error


class _Tape:
    """What h5py takes for a file: keeps what was written until it is taken away."""

    def __init__(self) -> None:
        self.size = 0
        self._position = 0
        self._writes: list[Piece] = []
        self._patches: dict[int, bytes] = {}
        self._taken = 0
        """Everything before this was handed on."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    def tell(self) -> int:
        """As of a file."""
        return self._position

    def write(self, data: Any) -> int:
        """As of a file."""
        content = bytes(data)
        self._writes.append(Piece(self._position, content))
        self._position += len(content)
        self.size = max(self.size, self._position)
        return len(content)

    def truncate(self, size: int) -> None:
        """As of a file; h5py calls it with the final size."""
        self.size = size

    def flush(self) -> None:
        """Nothing is held back."""

    def read(self, count: int) -> bytes:
        """As of a file; h5py takes what has this method for one, and calls readinto."""
        into = bytearray(count)
        return bytes(into[: self.readinto(into)])

    def readinto(self, into: Any) -> int:
        """Whatever was written last at each place, from what is still here."""
        view = memoryview(into).cast("B")
        start, end = self._position, self._position + len(view)
        if start < self._taken and not any(at <= start and end <= at + len(data) for at, data in self._patches.items()):
            raise RunError("h5py wants to read back what was written already; use larger hdf5.chunk_dims")
        for offset, data in [*self._patches.items(), *self._writes]:
            first, last = max(offset, start), min(offset + len(data), end)
            if first < last:
                view[first - start : last - start] = data[first - offset : last - offset]
        return len(view)

    def pieces(self) -> tuple[Piece, ...]:
        """All that was written, ascending and apart from each other."""
        return merged(self._writes)

    def take(self, *, last: bool = False) -> Iterator[Piece]:
        """Hand on what was written, zeros for holes; what was written over something handed on comes at the end."""
        writes, self._writes = self._writes, []
        for offset, data in sorted(writes, key=lambda piece: piece.offset):
            if offset < self._taken:
                self._patches[offset] = bytes(data)
                continue
            if offset > self._taken:
                yield Piece(self._taken, bytes(offset - self._taken))
            yield Piece(offset, data)
            self._taken = offset + len(data)
        if last:
            if self.size > self._taken:
                yield Piece(self._taken, bytes(self.size - self._taken))
            yield from (Piece(offset, data) for offset, data in self._patches.items())


def _create(tape: Any) -> Any:
    """An open file of the latest version; no times in its groups, so that its bytes are the same each time."""
    import h5py

    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, tape)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(repr(tape).encode(), h5py.h5f.ACC_TRUNC, creation, access))
