# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of a run, as a pure function of its record.

AU is dlio_benchmark's: of each accelerator and block, 100 * compute of the steps in the metric window / (the
block's time - the time of the excluded steps), where a step's time is its wait and computation; barriers count. An
epoch's AU is the mean over accelerators, the run's the mean over epochs. Throughput is measured: the samples and bytes
that came, over the block's whole time, since batches taken in the window may have been read before it began.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dl_driver.metrics.record import Block, Phase, RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.stages import Stage, StageTimes, stage_times


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """One block, a value an accelerator."""

    au_percent: tuple[float, ...] | None
    """None where the metric window is empty."""
    samples_per_second: tuple[float, ...]
    bytes_per_second: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """Training or evaluation over all epochs with at least one step."""

    au_percent: tuple[float, ...]
    """An epoch's mean over accelerators, of epochs whose metric window is not empty."""
    samples_per_second: tuple[float, ...]
    """An epoch's sum over accelerators."""
    bytes_per_second: tuple[float, ...]
    target_met: bool | None

    @property
    def au_mean(self) -> float | None:
        """Percent."""
        return _mean(self.au_percent)

    @property
    def au_stdev(self) -> float | None:
        """Of the population of epochs."""
        return _stdev(self.au_percent)

    @property
    def samples_mean(self) -> float:
        """Samples a second."""
        return float(np.mean(self.samples_per_second))

    @property
    def bytes_mean(self) -> float:
        """Bytes a second."""
        return float(np.mean(self.bytes_per_second))


@dataclass(frozen=True, slots=True)
class TimeShares:
    """Where the accelerators' time of the training went, as fractions of their wall time; None without a step."""

    waiting: float
    computing: float
    barrier: float
    decode_s: float
    """Seconds that workers spent on checking and decoding; they overlap with all of the above."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in figures."""

    training: PhaseFigures | None
    evaluation: PhaseFigures | None
    shares: TimeShares | None
    samples: int
    """Training samples delivered."""
    bytes: int
    """That storage delivered for them."""
    batches: int
    training_s: float
    """Wall time of the training blocks."""
    training_stages: StageTimes | None = None
    evaluation_stages: StageTimes | None = None

    @property
    def target_met(self) -> bool | None:
        """Whether the AU reached its threshold; None where there is none to compare."""
        phase = self.training or self.evaluation
        return None if phase is None else phase.target_met

    @property
    def stages(self) -> StageTimes | None:
        """Of the phase that is held against the threshold."""
        return self.evaluation_stages if self.training is None else self.training_stages

    @property
    def held_by(self) -> Stage | None:
        """What kept accelerators waiting, where the threshold was missed."""
        return self.stages.held_by if self.stages is not None and self.target_met is False else None


def summarize(record: RunRecord, facts: WorkloadFacts) -> Summary:
    """All figures of a run."""
    training = _blocks(record, Phase.TRAIN)
    evaluation = _blocks(record, Phase.EVALUATE)
    main = training or evaluation
    return Summary(
        training=_phase(training, facts),
        evaluation=_phase(evaluation, facts),
        shares=_shares(main),
        samples=sum(int(block.stamps.samples.sum()) for block in main),
        bytes=sum(int(block.stamps.bytes.sum()) for block in main),
        batches=sum(block.stamps.wait_ns.size for block in main),
        training_s=sum(block.duration_ns for block in main) / 1e9,
        training_stages=stage_times(training),
        evaluation_stages=stage_times(evaluation),
    )


def block_figures(block: Block, exclude_start: int, exclude_end: int) -> BlockFigures:
    """See the module's docstring; the window is the steps from exclude_start to the last but exclude_end."""
    stamps, seconds = block.stamps, max(1, block.duration_ns) / 1e9
    return BlockFigures(
        _au_percent(block, exclude_start, exclude_end),
        tuple((stamps.samples.sum(axis=0) / seconds).tolist()),
        tuple((stamps.bytes.sum(axis=0) / seconds).tolist()),
    )


def _au_percent(block: Block, exclude_start: int, exclude_end: int) -> tuple[float, ...] | None:
    stamps, steps = block.stamps, block.steps
    first, last = exclude_start, steps - exclude_end
    if first >= last:
        return None
    step_ns = stamps.wait_ns + stamps.compute_ns
    window_ns = block.duration_ns - step_ns[:first].sum(axis=0) - step_ns[last:].sum(axis=0)
    if (window_ns <= 0).any():
        return None
    return tuple((100 * stamps.compute_ns[first:last].sum(axis=0) / window_ns).tolist())


def _blocks(record: RunRecord, phase: Phase) -> Sequence[Block]:
    return [block for epoch in record.epochs for block in epoch.blocks if block.phase is phase and block.steps]


def _phase(blocks: Sequence[Block], facts: WorkloadFacts) -> PhaseFigures | None:
    if not blocks:
        return None
    au, samples, volume = [], [], []
    for block in blocks:
        figures = block_figures(block, facts.exclude_start_steps, facts.exclude_end_steps)
        if figures.au_percent is not None:
            au.append(float(np.mean(figures.au_percent)))
        samples.append(float(np.sum(figures.samples_per_second)))
        volume.append(float(np.sum(figures.bytes_per_second)))
    met = None if not au else float(np.mean(au)) >= facts.au_threshold * 100
    return PhaseFigures(tuple(au), tuple(samples), tuple(volume), met)


def _shares(blocks: Sequence[Block]) -> TimeShares | None:
    if not blocks:
        return None
    waiting, computing, barrier, decode = (
        sum(int(getattr(block.stamps, name).sum()) for block in blocks)
        for name in ("wait_ns", "compute_ns", "barrier_ns", "decode_ns")
    )
    whole = max(1, waiting + computing + barrier)
    return TimeShares(waiting / whole, computing / whole, barrier / whole, decode / 1e9)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _stdev(values: Sequence[float]) -> float | None:
    return float(np.std(values)) if values else None
