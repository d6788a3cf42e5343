# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run measured, as plain values. A report is a pure function of these; what was not measured is None.

Times inside are nanoseconds of ``time.perf_counter_ns``; calendar times are local, as DLIO writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.stages import StageTotals

Int64 = NDArray[np.int64]


class Phase(Enum):
    """What the accelerators were doing."""

    TRAIN = "train"
    EVALUATE = "eval"


@dataclass(frozen=True, slots=True)
class StepStamps:
    """One row a step, one column an accelerator, each int64 of shape (steps, accelerators)."""

    wait_ns: Int64
    """From the last barrier (or the block's start) until the batch was in hand: DLIO's "load"."""
    compute_ns: Int64
    """From the batch in hand to the end of the computation, as it really lasted: DLIO's "compute"."""
    barrier_ns: Int64
    """From the end of this accelerator's computation until all had ended theirs."""
    samples: Int64
    bytes: Int64
    """Bytes that storage delivered for the batch, containers included."""
    decode_ns: Int64
    """CPU time the batch's samples took to be checked and decoded, summed."""
    end_ns: Int64
    """When the step was over (past the barrier), since the run's start."""


@dataclass(frozen=True, slots=True)
class Block:
    """An unbroken run of steps: DLIO's block, or one evaluation."""

    phase: Phase
    epoch: int
    """1-based."""
    number: int
    """1-based within the epoch."""
    start: datetime
    end: datetime
    duration_ns: int
    """From before the loader was asked for the epoch until past the last barrier."""
    steps_expected: int
    stamps: StepStamps
    stages: StageTotals | None = None
    """Of the workers, from before the block until after it."""

    @property
    def steps(self) -> int:
        """Steps that really ended."""
        return int(self.stamps.wait_ns.shape[0])


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch; its end is after its evaluation, its duration covers the training alone (as DLIO's)."""

    number: int
    start: datetime
    end: datetime
    train_duration_ns: int
    blocks: tuple[Block, ...]
    host_meminfo: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccessOrder:
    """The order in which samples reached the accelerators."""

    first: tuple[str, ...]
    """The first ten, as ``key`` or ``key#sample`` where a file holds several."""
    digest: str
    """BLAKE2b-128 over (file, sample) of every sample delivered, int64 little-endian, in order of delivery."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Histograms of nanoseconds over every read, sample or batch of the training; None: not measured."""

    read: Histogram | None
    """Submitted until complete, a sample."""
    first_byte: Histogram | None
    decode: Histogram | None
    batch: Histogram | None
    """How long an accelerator waited for its batch."""
    device: Histogram | None
    """Host to device copy; None without a device."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine, as DLIO's and our reports want it."""

    hostname: str
    cpu_count: int
    processor_name: str
    cpuinfo: Mapping[str, str]
    """The last processor's lines of /proc/cpuinfo."""
    meminfo: Mapping[str, str]
    memory_bytes: int
    kernel: str
    python: str


@dataclass(frozen=True, slots=True)
class LoaderFacts:
    """How the data were really read."""

    engine: str
    workers: int
    readers: int
    """Per accelerator."""
    outstanding_batches: int
    """Per accelerator."""
    max_inflight: int
    """Reads in flight per accelerator."""
    deeper_than_dlio: bool
    reads: int
    fallbacks: int
    """Reads through the page cache although direct I/O was asked for."""
    page_cache_growth_bytes: int | None
    """Of the files read, over the training, where direct I/O was asked for and the kernel tells."""
    crop_bytes: int | None
    """Bytes of each sample a batch carried, where not the whole."""
    decoding: Mapping[str, int] = field(default_factory=dict)
    """What the format counted: files without an index, chunks unpacked by another library."""
    indexes: int = 0
    """Indexes of files that were read or made up before samples could be found."""
    index_ns: int = 0
    """How long those took, summed over files; part of the wait for data."""
    retries: Mapping[str, int] = field(default_factory=dict)
    """Requests to an object store that were made again, by reason."""
    handed_over: int = 0
    """Reads that an object store's general client did in place of the engine."""
    requests: int = 0
    """Sent to an object store, those made again and the parts of large reads included."""
    connections: int = 0
    """To an object store that were opened."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything a run measured."""

    run_id: str
    start: datetime
    end: datetime
    duration_ns: int
    accelerators: int
    epochs: Sequence[Epoch]
    latencies: Latencies
    access_order: AccessOrder | None
    host: HostFacts
    loader: LoaderFacts
    partial: str | None
    """Why the run ended early, or None."""
    warnings: tuple[str, ...]
    peak_memory_bytes: int | None
    """Proportional set size of all processes together, the largest seen at an epoch's end; None where unreadable."""
    files_read: int
    """Files read; a file read again counts again, one of several samples each time that readers came to it."""
    errors: int
    clock: Mapping[str, Any] = field(default_factory=dict)
    """Resolution and measured overhead of the clock; overshoot of the accelerators' deadlines."""
