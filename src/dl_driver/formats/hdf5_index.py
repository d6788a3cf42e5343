# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the samples of an HDF5 file lie.

h5py reads the structure through a file that has only some of its bytes and raises an exception where others are asked
for; these are fetched, and h5py starts again. A few kilobytes of structure take two or three rounds. From then on the
file is offsets, and libhdf5 with its lock around everything is needed no more.
"""

import contextlib
import math
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import FormatError
from dl_driver.formats.hdf5_filters import ChunkDecoder
from dl_driver.formats.spans import Need

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCK = 1 << 16
_MOST_ROUNDS = 10_000
_NUMBER = re.compile(r"\d+")
_SAMPLES = "records_"


@dataclass(frozen=True, slots=True)
class Rows:
    """A data set whose samples lie one after another."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    """Of one sample."""
    offset: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class Chunks:
    """A data set in chunks."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    """Of one sample."""
    chunk: tuple[int, ...]
    """Shape of a chunk; the first dimension counts samples."""
    offsets: NDArray[np.int64]
    """Of each chunk in the grid; -1 where it was never written."""
    sizes: NDArray[np.int64]
    masks: NDArray[np.int64]
    """A bit for each filter that was left out."""
    decoder: ChunkDecoder
    fill: bytes
    """One element, of chunks that were never written."""


@dataclass(frozen=True, slots=True)
class Hdf5Index:
    """See FileIndex."""

    num_samples: int
    arrays: tuple[Rows | Chunks, ...]

    @property
    def nbytes(self) -> int:
        """See FileIndex."""
        return 1024 + sum(3 * array.offsets.nbytes for array in self.arrays if isinstance(array, Chunks))

    @property
    def is_contiguous(self) -> bool:
        """Whether no data set is in chunks."""
        return all(isinstance(array, Rows) for array in self.arrays)


Indexing = Generator[Sequence[Need], Sequence["memoryview | None"], Hdf5Index]


def index_file(key: str) -> Indexing:
    """See Format.index."""
    (start,) = yield (Need(key, 0, _BLOCK),)
    assert start is not None
    file = _PartialFile(_end_of_file(start))
    file.blocks[0] = start
    (last,) = yield (Need(key, file.size - 1, 1),)
    if not last:
        raise FormatError(f"the file ends before byte {file.size}, to which it reaches by its superblock")
    for _ in range(_MOST_ROUNDS):
        file.missing = []
        with contextlib.suppress(_MissingError):
            return read_structure(file)
        answers = yield [Need(key, number * _BLOCK, _BLOCK) for number in file.missing]
        for number, answer in zip(file.missing, answers, strict=True):
            assert answer is not None
            file.blocks[number] = answer
    raise FormatError(f"its structure is spread over more than {_MOST_ROUNDS} blocks of {_BLOCK} bytes")


def index_bytes(data: memoryview) -> Hdf5Index:
    """The index of a file that is in memory."""
    size = _end_of_file(data[:_BLOCK])
    if size != len(data):
        raise FormatError(f"the file has {len(data)} bytes, {size} by its superblock")
    file = _PartialFile(size)
    file.blocks = {at // _BLOCK: data[at : at + _BLOCK] for at in range(0, size, _BLOCK)}
    return read_structure(file)


def _end_of_file(start: memoryview) -> int:
    """The size that the superblock states."""
    if bytes(start[:8]) != _SIGNATURE:
        raise FormatError("the file does not begin with HDF5's signature")
    at = {0: 40, 1: 44, 2: 28, 3: 28}.get(start[8]) if len(start) > 52 else None
    if at is None:
        raise FormatError("the file ends within its superblock, or that is of an unknown version")
    size = int.from_bytes(start[at : at + 8], "little")
    if not 52 < size < 1 << 62:
        raise FormatError(f"its superblock says that it has {size} bytes")
    return size


class _MissingError(Exception):
    """Bytes are not here yet."""


class _PartialFile:
    """What h5py takes for a file."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.blocks: dict[int, memoryview] = {}
        self.missing: list[int] = []
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    def tell(self) -> int:
        """As of a file."""
        return self._position

    def read(self, count: int) -> bytes:
        """As of a file; h5py takes what has this method for one, and calls readinto."""
        into = bytearray(count)
        return bytes(into[: self.readinto(into)])

    def readinto(self, into: Any) -> int:
        """As of a file; raises _MissingError."""
        view = memoryview(into).cast("B")
        start, end = self._position, min(self._position + len(view), self.size)
        numbers = range(start // _BLOCK, -(-end // _BLOCK))
        self.missing = [number for number in numbers if number not in self.blocks]
        if self.missing:
            raise _MissingError
        for number in numbers:
            first, last = max(start, number * _BLOCK), min(end, (number + 1) * _BLOCK)
            part = self.blocks[number][first - number * _BLOCK : last - number * _BLOCK]
            view[first - start : first - start + len(part)] = part
        self._position = end
        return max(0, end - start)

    def write(self, data: Any) -> int:
        """Never called: the file is opened for reading."""
        raise NotImplementedError

    def truncate(self, size: int) -> None:
        """Never called."""
        raise NotImplementedError

    def flush(self) -> None:
        """Nothing is held back."""


def read_structure(file: _PartialFile) -> Hdf5Index:
    """What h5py finds in the file. Raises _MissingError, or FormatError where it finds it damaged."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            names = _sample_names(opened)
            arrays = [_describe(opened[name], name, file.size) for name in names]
            counts = {opened[name].shape[0] for name in names}
    except _MissingError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError, SystemError) as error:
        if file.missing:
            raise _MissingError from error
        raise FormatError(f"h5py finds its structure damaged: {error}") from error
    if len(counts) != 1:
        raise FormatError(f"its data sets have different numbers of samples: {sorted(counts)}")
    return Hdf5Index(counts.pop(), tuple(arrays))


def _sample_names(file: Any) -> list[str]:
    """DLIO's records_0, records_1 and so on, or else every data set with a first dimension."""
    import h5py

    found = [name for name in file if isinstance(file[name], h5py.Dataset) and file[name].ndim]
    records = [name for name in found if name.startswith(_SAMPLES)]
    if not found:
        raise FormatError("it holds no data set with samples at its top level")
    return sorted(records or found, key=lambda name: [int(number) for number in _NUMBER.findall(name)] or [0])


def _describe(data_set: Any, name: str, end: int) -> Rows | Chunks:
    dtype = data_set.dtype
    if dtype.hasobject or dtype.names:
        raise FormatError(f"data set {name} has elements of type {dtype}, which have no fixed place in the file")
    if data_set.size == 0:
        raise FormatError(f"data set {name} of shape {data_set.shape} is empty")
    shape = tuple(data_set.shape[1:])
    if data_set.chunks is None:
        row = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        offset = data_set.id.get_offset()
        if offset is None or offset + row * data_set.shape[0] > end:
            raise FormatError(f"data set {name} has no data, or not within the file")
        return Rows(name, dtype.str, shape, int(offset), row)
    return _describe_chunks(data_set, name, end)


def _describe_chunks(data_set: Any, name: str, end: int) -> Chunks:
    chunk = tuple(data_set.chunks)
    grid = tuple(-(-side // part) for side, part in zip(data_set.shape, chunk, strict=True))
    if math.prod(grid) > end:
        raise FormatError(f"data set {name} has {math.prod(grid)} chunks, more than its file has bytes")
    offsets, sizes, masks = np.full(grid, -1, np.int64), np.zeros(grid, np.int64), np.zeros(grid, np.int64)
    for stored in _stored_chunks(data_set):
        where = tuple(at // part for at, part in zip(stored.chunk_offset, chunk, strict=True))
        if any(at >= side for at, side in zip(where, grid, strict=True)):
            continue
        if stored.byte_offset is None or stored.byte_offset + stored.size > end:
            raise FormatError(f"a chunk of data set {name} lies outside the file")
        offsets[where], sizes[where], masks[where] = stored.byte_offset, stored.size, stored.filter_mask
    decoder = ChunkDecoder(data_set)
    fill = np.asarray(data_set.fillvalue, data_set.dtype).tobytes()
    return Chunks(name, data_set.dtype.str, tuple(data_set.shape[1:]), chunk, offsets, sizes, masks, decoder, fill)


def _stored_chunks(data_set: Any) -> Iterator[Any]:
    stored: list[Any] = []
    data_set.id.chunk_iter(stored.append)
    yield from stored
