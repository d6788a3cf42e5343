# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data set: how many files, what is in them, where they lie."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field

from dl_driver.config.sections.base import (
    ONE_OR_MANY,
    Choice,
    Count,
    Limit,
    NoEffect,
    NumberFromZero,
    Positive,
    PositiveNumber,
    Ratio,
    Section,
    Text,
)

Dtype = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "complex64": 8, "complex128": 16}


def element_bytes(dtype: Dtype) -> int:
    """Bytes of one element."""
    return _BYTES.get(dtype) or (4 if dtype.endswith("32") else 8)


HDF5_OPT = (
    "dlio_benchmark names hdf5_opt and neither writes nor reads it; use hdf5, with dataset.hdf5.chunk_dims and"
    " dataset.compression for chunks"
)


class DatasetFormat(Choice):
    """File formats; the value is the files' suffix."""

    TFRECORD = "tfrecord"
    HDF5 = "hdf5"
    CSV = "csv"
    NPZ = "npz"
    NPY = "npy"
    JPEG = "jpeg"
    PNG = "png"
    INDEXED_BINARY = "indexed_binary"
    MMAP_INDEXED_BINARY = "mmap_indexed_binary"
    PARQUET = "parquet"
    RAW = "raw"
    JSONL = "jsonl"
    SYNTHETIC = "synthetic"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return super()._missing_("jpeg" if str(value).lower() == "jpg" else value)

    @property
    def is_image(self) -> bool:
        """Whether a file is one picture."""
        return self in (DatasetFormat.JPEG, DatasetFormat.PNG)


class Compression(Choice):
    """How a file's payload is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZLIB = "zlib"
    LZF = "lzf"
    BZ2 = "bz2"
    ZIP = "zip"
    XZ = "xz"
    LZ4 = "lz4"
    ZSTD = "zstd"
    SNAPPY = "snappy"


class GenerationMethod(Choice):
    """Where the MLCommons fork takes random bytes from."""

    DGEN = "dgen"
    NUMPY = "numpy"


def _not_hdf5_opt(value: object) -> object:
    if str(value).lower() == "hdf5_opt":
        raise ValueError(HDF5_OPT)
    return value


_SHORT_KINDS = {"f": "float", "i": "int", "u": "uint"}


def _numpy_name(name: object) -> object:
    """``f16`` is float16."""
    text = str(name)
    return f"{_SHORT_KINDS[text[0]]}{text[1:]}" if text[:1] in _SHORT_KINDS and text[1:].isdigit() else name


class Hdf5(Section):
    """What is particular to HDF5 files."""

    chunk_dims: tuple[Positive, ...] = ()
    """Shape of a chunk; empty: contiguous."""
    num_dset_per_record: Positive = 1
    """Data sets that share a record."""
    max_shape: tuple[Positive, ...] = ()
    """Shape to which a data set may grow."""


class ParquetColumn(Section):
    """One column of a Parquet table."""

    name: Text
    """The column's name."""
    dtype: Annotated[Dtype, BeforeValidator(_numpy_name)] = "float32"
    """NumPy's name of an element's type; MLCommons' short names (f16, i8, ...) mean the same."""
    size: Positive = 1
    """Elements a row."""
    read: bool = True
    """Whether training reads the column."""


class Parquet(Section):
    """What is particular to Parquet files (MLCommons)."""

    columns: tuple[ParquetColumn, ...] = ()
    """The table's columns."""
    row_group_size: Positive = 1024
    """Rows a row group."""
    read_mode: str | None = None
    """Unit of a read: row_group."""
    check_pages: bool | None = None
    """Whether the headers and checksums of pages are checked that are passed on as stored (reader.decode: raw); pages
    that are decoded always are. By default not."""
    partition_by: str | None = None
    """Column by which a table is split over folders."""
    generation_batch_size: Annotated[Limit, NoEffect("files are written a page at a time")] = None
    """Rows made at a time."""
    use_s3dlio_gen: Annotated[bool, NoEffect("data come from this program's own generator")] = False
    """MLCommons' choice of generator."""


class Content(Section):
    """What storage that compresses or deduplicates can make of the samples; of dl-driver alone."""

    compress_ratio: Ratio = 1.0
    """Bytes for each byte left when blocks of 4 KiB or more are compressed; 1: incompressible."""
    dedup_ratio: Ratio = 1.0
    """Blocks for each block that is the only one of its kind; 1: no block comes twice."""


class Dataset(Section):
    """The data set."""

    record_length_bytes: PositiveNumber = 65536
    """Bytes of a sample, the mean where a deviation is given; a sample is a square whose side is the root, cut."""
    record_length_bytes_stdev: NumberFromZero = 0
    """Standard deviation from file to file."""
    record_length_bytes_resize: Count = 0
    """Bytes of each sample that a batch carries; 0: all."""
    record_dims: Annotated[tuple[Positive, ...], ONE_OR_MANY] = ()
    """Shape of a sample, instead of record_length_bytes."""
    record_element_type: Dtype = "uint8"
    """NumPy's name of an element's type."""
    record_element_bytes: Annotated[Positive, NoEffect("it follows from record_element_type")] = 4
    """Bytes of an element."""
    num_files_train: Count = 8
    """Files to train on."""
    num_files_eval: Count = 0
    """Files to evaluate on."""
    num_samples_per_file: Positive = 1
    """Samples in each file."""
    data_folder: Text = "./data/"
    """Where the files lie: a path, relative to storage.storage_root, or a URI."""
    num_subfolders_train: Count = 0
    """Folders over which the training files are spread."""
    num_subfolders_eval: Count = 0
    """Folders over which the evaluation files are spread."""
    format: Annotated[DatasetFormat, BeforeValidator(_not_hdf5_opt)] = DatasetFormat.TFRECORD
    """Format of the files."""
    file_prefix: Text = "img"
    """What file names begin with."""
    keep_files: Annotated[bool, NoEffect("this version deletes no data set")] = True
    """False: delete the data set after the run."""
    compression: Compression = Compression.NONE
    """How a file's payload, or the file, is packed; each format has its own choice."""
    compression_level: Annotated[int, Field(ge=0, le=9)] = 4
    """Effort of the packing, where it has degrees."""
    enable_chunking: Annotated[bool, NoEffect("dlio_benchmark does not use it either; see hdf5.chunk_dims")] = False
    """Seen in published workloads."""
    chunk_size: Annotated[Count, NoEffect("dlio_benchmark does not use it either; see hdf5.chunk_dims")] = 0
    """Seen in published workloads."""
    generation_buffer_size: Annotated[Positive, NoEffect("files are written as a stream")] = 2 << 30
    """Bytes that dlio_benchmark collects before it writes."""
    hdf5: Hdf5 = Hdf5()
    """What is particular to HDF5 files."""
    parquet: Parquet = Parquet()
    """What is particular to Parquet files."""
    content: Content = Content()
    """What storage that compresses or deduplicates can make of the samples."""
    skip_listing: Annotated[bool, NoEffect("file names are computed, never listed")] = False
    """MLCommons: compute file names."""
    listing_validation_interval: Annotated[Count, NoEffect("file names are computed, never listed")] = 1000
    """MLCommons: check every so many computed names."""
    num_files_generated: Annotated[Limit, NoEffect("file names follow from num_files_train and num_files_eval")] = None
    """MLCommons: files that were generated."""
    total_disk_bytes: Annotated[Limit, NoEffect("sizes follow from the data set's other keys")] = None
    """MLCommons: bytes of the whole data set."""
    data_gen_method: Annotated[GenerationMethod, NoEffect("data come from this program's own generator")] = (
        GenerationMethod.DGEN
    )
    """MLCommons: where random bytes come from."""

    @property
    def sample_dtype(self) -> Dtype:
        """NumPy's name of the type of what files hold: as dlio_benchmark has it, images are of bytes in any case."""
        return "uint8" if self.format.is_image else self.record_element_type
