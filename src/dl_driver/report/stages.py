# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the workers' time went, and which of it kept accelerators waiting.

A worker waits, decodes, copies, or does what reading itself takes: making reads and taking them, with what the kernel
does in the worker's own time (copying out of the page cache), records and messages. Waits, decoding and copying are
timed; that last part is what the worker's CPU time has beyond decoding and copying. In the wait for reads the kernel
may have done some of it, which is then no waiting. So the stages fill the workers' time, but for what is left over:
``other``, time in which a worker neither waited for something nor got a processor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dl_driver.metrics.record import Block
from dl_driver.metrics.stages import StageTotals, total_of


class Stage(Enum):
    """What can keep accelerators waiting."""

    STORAGE = "storage"
    DECODE = "decode"
    COPY = "copy"
    READING = "reading"
    PREPROCESS = "preprocess"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds, summed over the workers and over a phase's blocks. ``read_wait_s`` to ``other_s`` add up to
    ``worker_s``."""

    worker_s: float
    """The workers' time: their number times the blocks'."""
    read_wait_s: float
    """Waiting for the storage."""
    read_cpu_s: float
    """What reading took of a processor, in this program and in the kernel on its behalf."""
    decode_s: float
    """Checking and decoding."""
    decode_cpu_s: float | None
    """Of that, on a processor; None where nothing could be sampled."""
    copy_s: float
    """Cutting out and copying what a batch carries."""
    preprocess_s: float
    """Waiting until samples' preprocess_time was over."""
    full_s: float
    """Waiting for a place for another batch, because the accelerators had not taken those that were ready."""
    idle_s: float
    """With nothing left to read."""
    other_s: float
    """What is left over."""

    @property
    def working_s(self) -> float:
        """The workers' own work."""
        return self.read_cpu_s + self.decode_s + self.copy_s + self.other_s

    @property
    def held_by(self) -> Stage | None:
        """What took most of the time in which workers had places to fill: it is what accelerators waited for, if they
        did. Waiting for the storage and the workers' own work as a whole are weighed first; of the work, the largest
        part is named. None where workers had nothing to fill."""
        waits = {Stage.STORAGE: self.read_wait_s, Stage.PREPROCESS: self.preprocess_s}
        stage = max(waits, key=lambda one: waits[one])
        if waits[stage] > self.working_s:
            return stage
        work = {Stage.DECODE: self.decode_s, Stage.COPY: self.copy_s, Stage.READING: self.read_cpu_s}
        stage = max(work, key=lambda one: work[one])
        return stage if work[stage] > 0 else None

    def seconds_of(self, stage: Stage) -> float:
        """How long that took."""
        by_stage = {
            Stage.STORAGE: self.read_wait_s,
            Stage.DECODE: self.decode_s,
            Stage.COPY: self.copy_s,
            Stage.READING: self.read_cpu_s,
            Stage.PREPROCESS: self.preprocess_s,
        }
        return by_stage[stage]


def stage_times(blocks: Sequence[Block]) -> StageTimes | None:
    """Of all these blocks; None where the workers' time was not measured in each."""
    measured = [block.stages for block in blocks if block.stages is not None]
    return derive(total_of(measured)) if measured and len(measured) == len(blocks) else None


def derive(totals: StageTotals) -> StageTimes:
    """See the module's docstring."""
    waits = totals.wait_read_ns + totals.wait_preprocess_ns + totals.wait_place_ns + totals.wait_idle_ns
    rest = totals.wall_ns - waits - totals.decode_ns - totals.copy_ns
    on_cpu = totals.sampled_cpu_ns / totals.sampled_ns if totals.sampled_ns else None
    share = 1.0 if on_cpu is None else min(1.0, on_cpu)
    read_cpu = max(0.0, totals.cpu_ns - share * (totals.decode_ns + totals.copy_ns))
    in_wait = min(max(0.0, read_cpu - rest), totals.wait_read_ns)
    read_cpu = min(read_cpu, rest + in_wait)
    return StageTimes(
        worker_s=totals.wall_ns / 1e9,
        read_wait_s=(totals.wait_read_ns - in_wait) / 1e9,
        read_cpu_s=read_cpu / 1e9,
        decode_s=totals.decode_ns / 1e9,
        decode_cpu_s=None if on_cpu is None else share * totals.decode_ns / 1e9,
        copy_s=totals.copy_ns / 1e9,
        preprocess_s=totals.wait_preprocess_ns / 1e9,
        full_s=totals.wait_place_ns / 1e9,
        idle_s=totals.wait_idle_ns / 1e9,
        other_s=(rest + in_wait - read_cpu) / 1e9,
    )
