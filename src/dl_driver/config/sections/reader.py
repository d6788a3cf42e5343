# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the data set is read."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from dl_driver.config.duration import Duration, join_stdev
from dl_driver.config.sections.base import (
    ONE_OR_MANY,
    Choice,
    Count,
    NoEffect,
    NumberFromZero,
    Positive,
    PositiveNumber,
    Section,
)
from dl_driver.config.sections.dataset import Dtype

_OWN_LOADER = "this program has a loader of its own"


class DataLoader(Choice):
    """dlio_benchmark's loaders."""

    TENSORFLOW = "tensorflow"
    PYTORCH = "pytorch"
    JAX = "jax"
    DALI = "dali"
    NATIVE_DALI = "native_dali"
    SYNTHETIC = "synthetic"
    CUSTOM = "custom"
    NONE = "none"


class Shuffle(Choice):
    """Whether the order changes from epoch to epoch."""

    OFF = "off"
    SEED = "seed"
    """The same order for the same seed."""
    RANDOM = "random"
    """Another order in every run."""

    @classmethod
    def _when_true(cls) -> Self | None:
        return cls("seed")


class Sampler(Choice):
    """dlio_benchmark's samplers."""

    ITERATIVE = "iterative"
    INDEX = "index"
    NONE = "none"


class ReadType(Choice):
    """When a sample is read."""

    ON_DEMAND = "on_demand"
    MEMORY = "memory"


class FileAccess(Choice):
    """dlio_benchmark's ways to open files."""

    MULTI = "multi"
    SHARED = "shared"
    COLLECTIVE = "collective"
    MPIO = "mpio"
    POSIX = "posix"


class ProcessStart(Choice):
    """How dlio_benchmark starts its readers."""

    FORK = "fork"
    SPAWN = "spawn"
    FORKSERVER = "forkserver"
    NONE = "none"


BatchOrder = Literal["plan", "completion"]
"""In which order batches reach an accelerator: as the epoch's order says, or as they become complete."""

Decode = Literal["format", "none", "raw"]
"""Whether samples are decoded as their format says."""


class Reader(Section):
    """How the data set is read."""

    data_loader: DataLoader | None = None
    """Whose loader is replayed; the framework's own where not given."""
    data_loader_classname: Annotated[str | None, NoEffect(_OWN_LOADER)] = None
    """Dotted name of a loader class for dlio_benchmark."""
    data_loader_sampler: Annotated[Sampler | None, NoEffect(_OWN_LOADER)] = None
    """dlio_benchmark's sampler."""
    reader_classname: Annotated[str | None, NoEffect(_OWN_LOADER)] = None
    """Dotted name of a reader class for dlio_benchmark."""
    multiprocessing_context: Annotated[ProcessStart, NoEffect("workers are always fresh processes")] = ProcessStart.FORK
    """How dlio_benchmark starts its readers."""
    read_threads: Count = 1
    """Readers an accelerator, each at one sample at a time; 0 counts as 1."""
    write_threads: Annotated[Count, NoEffect("generation uses all cores")] = 1
    """MLCommons: threads that generate data."""
    computation_threads: Annotated[Count, NoEffect(_OWN_LOADER)] = 1
    """TensorFlow's threads that decode TFRecords."""
    batch_size: Positive = 1
    """Samples a step and accelerator."""
    batch_size_eval: Positive = 1
    """The same in evaluation."""
    prefetch_size: Count = 2
    """Batches an accelerator asks for ahead, rounded up to a multiple of read_threads."""
    file_shuffle: Shuffle = Shuffle.OFF
    """Whether the order of files changes."""
    sample_shuffle: Shuffle = Shuffle.OFF
    """Whether the order of samples changes."""
    shuffle_size: Annotated[Positive, NoEffect("a shuffle covers the whole data set")] = 1024
    """Samples of TensorFlow's shuffle buffer."""
    read_type: Annotated[ReadType, NoEffect("every sample is read when its turn comes")] = ReadType.ON_DEMAND
    """When a sample is read."""
    file_access: Annotated[FileAccess, NoEffect("dlio_benchmark does not use it either")] = FileAccess.MULTI
    """How files are opened."""
    transfer_size: Positive | None = None
    """Most bytes that one read asks for where several samples of a file lie together; by default window_bytes."""
    odirect: bool = False
    """Read past the page cache, as direct:// does."""
    dont_use_mmap: Annotated[bool, NoEffect("files are never mapped")] = False
    """DALI's choice."""
    pin_memory: Annotated[bool, NoEffect("no real accelerator is attached")] = True
    """PyTorch's page-locked batches."""
    preprocess_time: Duration = Duration()
    """Seconds of work on each sample after it was read, in the worker."""
    preprocess_time_stdev: NumberFromZero | None = None
    """Its standard deviation."""
    transformed_record_dims: Annotated[
        tuple[Positive, ...], ONE_OR_MANY, NoEffect("a batch carries the data that were read")
    ] = ()
    """Shape of what dlio_benchmark hands over instead of the data."""
    transformed_record_element_type: Annotated[Dtype, NoEffect("a batch carries the data that were read")] = "uint8"
    """Its type."""
    order: BatchOrder = "plan"
    """In which order batches reach an accelerator: as the epoch's order says, or as they become complete."""
    drop_last: bool = True
    """Leave out the samples at the end that do not fill a batch."""
    workers: Positive | None = None
    """Worker processes of the host; by default as many as there are cores."""
    pool_size: Positive | None = None
    """Readers an accelerator, beyond what dlio_benchmark would use."""
    readahead: Positive | None = None
    """Batches an accelerator asks for ahead, beyond prefetch_size."""
    max_inflight: Positive | None = None
    """Most reads in flight an accelerator."""
    decode: Decode = "format"
    """``none`` or ``raw``: a sample's bytes are passed on as they are stored, so that the client decodes nothing."""
    timeout: PositiveNumber | None = None
    """Seconds to wait for a batch before the run gives up."""
    window_bytes: Positive = 4 << 20
    """Bytes that one read asks for; a larger file passes through in windows of this size."""

    @model_validator(mode="before")
    @classmethod
    def _join_stdev(cls, data: object) -> object:
        return join_stdev(data, "preprocess_time")
