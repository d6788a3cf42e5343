# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a data set: names, folders and sizes exactly as dlio_benchmark's, computed and not listed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.content import Shape
from dl_driver.formats import file_suffix, get_format
from dl_driver.formats.base import DEFAULTS, Format, FormatOptions, RecordSpec
from dl_driver.formats.options import Hdf5Options, ParquetColumn, ParquetOptions

if TYPE_CHECKING:
    from dl_driver.config import Workload
    from dl_driver.config.sections.dataset import Hdf5, Parquet

_DIMENSION_SEED = 10
_BLOCK = 1 << 20
_FILES_TO_REPEAT = 8
"""Times the ratio: files from which on the last, incomplete group of files that are alike makes no difference."""


class FileSet(Protocol):
    """The files of one split; picklable."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """Relative to the data set's URI."""
        ...

    def size(self, index: int) -> int | None:
        """Bytes of the whole file, where known."""
        ...

    @property
    def max_size(self) -> int | None:
        """Bytes of the largest file, where known."""
        ...


@dataclass(frozen=True, slots=True)
class ListedFiles:
    """Files that were found by listing."""

    keys: Sequence[str]
    sizes: Sequence[int]

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        """See FileSet."""
        return self.keys[index]

    def size(self, index: int) -> int | None:
        """See FileSet."""
        return self.sizes[index]

    @property
    def max_size(self) -> int | None:
        """See FileSet."""
        return max(self.sizes, default=0)


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The sides of each file's samples: DLIO's seeded draw, one pair of normal variates a file, in file order."""

    mean: int
    deviation: float
    """Of each side; 0: all alike."""
    total: int
    """Files of all splits: the draw runs over training, then evaluation files."""

    def of(self, index: int) -> tuple[int, int]:
        """The sides of a file's samples, counted over all splits."""
        if not self.deviation:
            return self.mean, self.mean
        sides = _draw(self)
        return int(sides[index, 0]), int(sides[index, 1])

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """All sides, some rows at a time."""
        generator = np.random.RandomState(_DIMENSION_SEED)
        for start in range(0, self.total, _BLOCK):
            draws = generator.normal(self.mean, self.deviation, 2 * min(_BLOCK, self.total - start))
            yield np.maximum(draws.astype(np.int64), 1).reshape(-1, 2)


@cache
def _draw(dimensions: Dimensions) -> NDArray[np.int32]:
    return np.concatenate([block.astype(np.int32) for block in dimensions.blocks()])


@dataclass(frozen=True, slots=True)
class ComputedFiles:
    """One split's files, from the workload alone."""

    folder: str
    """``train`` or ``valid``."""
    prefix: str
    format: str
    count: int
    subfolders: int
    first: int
    """The number of its first file over all splits."""
    dimensions: Dimensions
    record_dims: tuple[int, ...]
    """Shape of every sample where the workload gives it, else empty."""
    dtype: str
    samples_per_file: int
    options: FormatOptions = DEFAULTS

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        """See FileSet."""
        name = f"{self.prefix}_{index:0{len(str(self.count))}d}_of_{self.count}.{self.suffix}"
        if self.subfolders > 1:
            folder = f"{index % self.subfolders:0{len(str(self.subfolders))}d}"
            return f"{self.folder}/{folder}/{name}"
        return f"{self.folder}/{name}"

    @property
    def suffix(self) -> str:
        """Of its files, without the first dot."""
        return file_suffix(self.format, self.options.compression)

    def record(self, index: int) -> RecordSpec:
        """What a file holds."""
        dims = self.record_dims or self.dimensions.of(self.first + index)
        return RecordSpec(dims, self.dtype, self.samples_per_file)

    def size(self, index: int) -> int | None:
        """See FileSet."""
        return self.file_format.file_size(self.record(index))

    @property
    def file_format(self) -> Format:
        """For what can be computed; shared by all that ask."""
        return _format(self.format, self.options)

    @property
    def uniform(self) -> bool:
        """Whether all files have one size."""
        return bool(self.record_dims) or not self.dimensions.deviation or self.count == 0

    @property
    def max_size(self) -> int | None:
        """See FileSet."""
        if self.count == 0:
            return 0
        size = self.file_format.file_size(self.largest_record)
        # Headers differ by a few bytes with the digits of the shape.
        return size if size is None or self.uniform else size + 256

    @property
    def largest_record(self) -> RecordSpec:
        """What the largest file holds."""
        if self.uniform:
            return self.record(0)
        sides = _draw(self.dimensions)[self.first : self.first + self.count].astype(np.int64)
        return self.record(int(np.argmax(sides[:, 0] * sides[:, 1])))

    @property
    def payload_bytes(self) -> int:
        """Bytes of all samples, without containers."""
        if self.count == 0 or self.uniform:
            return self.count * (self.record(0).payload_bytes if self.count else 0)
        item = np.dtype(self.dtype).itemsize * self.samples_per_file
        total, at = 0, 0
        for block in self.dimensions.blocks():
            start, end = max(self.first - at, 0), min(self.first + self.count - at, len(block))
            if start < end:
                total += int((block[start:end, 0] * block[start:end, 1]).sum())
            at += len(block)
        return total * item

    def index_of(self, key: str) -> int:
        """The file's number in its name."""
        return int(key.rpartition("_of_")[0].rpartition("_")[2])


@lru_cache(maxsize=16)
def _format(name: str, options: FormatOptions) -> Format:
    return get_format(name, options)


def format_options(workload: "Workload") -> FormatOptions:
    """What the workload says of its format."""
    # Here, not above: the configuration takes long to import, and workers do without it.
    from dl_driver.config.sections.storage import Decode

    data = workload.dataset
    raw = workload.reader.decode in ("none", "raw") or workload.storage.storage_options.decode is Decode.RAW
    return FormatOptions(
        str(data.compression.value),
        data.compression_level,
        _hdf5_options(data.hdf5),
        _parquet_options(data.parquet),
        decode=not raw,
        element_type=data.record_element_type,
    )


def _hdf5_options(section: "Hdf5") -> Hdf5Options:
    return Hdf5Options(section.chunk_dims, section.num_dset_per_record, section.max_shape)


def _parquet_options(section: "Parquet") -> ParquetOptions:
    columns = [ParquetColumn(column.name, column.dtype, column.size, column.read) for column in section.columns]
    return ParquetOptions(
        tuple(columns), section.row_group_size, section.read_mode, section.check_pages, section.partition_by
    )


def content_shape(workload: "Workload") -> Shape:
    """What storage can make of the samples. Files that are alike repeat each other, since then what comes again is at
    the same place of them, whatever stands around the samples; of others each repeats itself."""
    content, files = workload.dataset.content, training_files(workload)
    across = files.uniform and files.count >= _FILES_TO_REPEAT * content.dedup_ratio
    return Shape(content.compress_ratio, content.dedup_ratio, across or content.dedup_ratio == 1)


def training_files(workload: "Workload") -> ComputedFiles:
    """The files that the accelerators train on."""
    data = workload.dataset
    return _files(workload, "train", data.num_files_train, data.num_subfolders_train, 0)


def evaluation_files(workload: "Workload") -> ComputedFiles:
    """The files of the evaluation."""
    data = workload.dataset
    return _files(workload, "valid", data.num_files_eval, data.num_subfolders_eval, data.num_files_train)


def _files(workload: "Workload", folder: str, count: int, subfolders: int, first: int) -> ComputedFiles:
    data = workload.dataset
    length = data.record_length_bytes
    mean = max(1, int(math.sqrt(length)))
    deviation = data.record_length_bytes_stdev / 2 / math.sqrt(length) if data.record_length_bytes_stdev else 0.0
    return ComputedFiles(
        folder=folder,
        prefix=data.file_prefix,
        format=data.format.value,
        count=count,
        subfolders=subfolders,
        first=first,
        dimensions=Dimensions(mean, deviation, data.num_files_train + data.num_files_eval),
        record_dims=data.record_dims,
        dtype=data.sample_dtype,
        samples_per_file=data.num_samples_per_file,
        options=format_options(workload),
    )
