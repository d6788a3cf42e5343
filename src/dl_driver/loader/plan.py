# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a loader reads: decided once by the host process, followed by every worker."""

from dataclasses import dataclass
from enum import Enum

from dl_driver.config import Duration
from dl_driver.dataset.files import FileSet
from dl_driver.formats.base import FormatOptions
from dl_driver.formats.expectation import Expectation
from dl_driver.storage.base import StorageSettings


class Delivery(Enum):
    """How a sample's bytes get into its place in the slab."""

    WHOLE = "whole"
    """The file is read straight into its place; the arrays are views of it."""
    COPY = "copy"
    """The file is read into a reader's buffer; the sample's part of it, or a crop, is copied to its place."""
    WINDOWS = "windows"
    """The file passes by in windows through a reader's buffer; a crop of its first array is copied to its place."""
    SPANS = "spans"
    """Runs of samples are found through a file's index and read straight into the batch; the arrays are views."""
    UNPACK = "unpack"
    """Runs of samples, or whole files, are read into a reader's buffer and unpacked, or cropped, into the batch."""


@dataclass(frozen=True, slots=True)
class LoaderPlan:
    """Picklable; small whatever the number of files."""

    uri: str
    settings: StorageSettings
    format: str
    files: FileSet
    samples_per_file: int
    batch_size: int
    consumers: int
    """Accelerators fed by this host process."""
    first_rank: int
    """The rank of the first of them among all accelerators."""
    readers: int
    """A consumer's readers: each fills one batch after another, as one of DLIO's reader threads does."""
    depth: int
    """Samples, or runs of them, that a reader has in flight."""
    batches_ahead: int
    """Batches a reader may have filled or in the making and not yet taken."""
    slots: int
    """Places for batches, a consumer."""
    delivery: Delivery
    crop_bytes: int
    """Bytes of a sample's first array that are delivered; 0: all."""
    file_bytes: int
    """Room for the largest file, one byte more than expected, so that a larger one is noticed."""
    stride: int
    """Bytes of a batch for each of its samples; where samples have places of one size, the distance between them."""
    window_bytes: int
    run_bytes: int
    """Most bytes of a run of samples that is read at once."""
    sample_bytes: int
    """Bytes that a sample takes unpacked and not cropped, at most on average over a batch."""
    alignment: int
    """Of the storage's reads."""
    options: FormatOptions
    preprocess: Duration | None
    seed: int
    workers: int
    expected: Expectation | None = None
    """What each file must hold, where the workload says so."""

    @property
    def num_readers(self) -> int:
        """All consumers' readers, numbered consumer by consumer."""
        return self.consumers * self.readers

    def readers_of(self, worker: int) -> range:
        """The readers that a worker process runs; each worker has its share of every consumer's."""
        return range(worker, self.num_readers, self.workers)
