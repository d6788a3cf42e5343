# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run: generate, then train and evaluate epoch by epoch, and come out with what was measured."""

import contextlib
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from dl_driver.config import Duration, Workload
from dl_driver.dataset.files import training_files
from dl_driver.errors import ConfigError, Problem
from dl_driver.loader.pool import WorkerPool
from dl_driver.metrics.clock import sharpen_timers
from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.host import host_facts, read_meminfo
from dl_driver.metrics.memory import proportional_set_size
from dl_driver.metrics.record import Block, Epoch, LoaderFacts, Phase, RunRecord
from dl_driver.run.accelerators import Accelerators, StopRequest
from dl_driver.run.feeds import Feed, make_feed, shuffle_seed
from dl_driver.run.plugins import Plugins
from dl_driver.run.recorder import BlockRecorder, SampleLedger
from dl_driver.storage import open_storage
from dl_driver.storage.direct import DirectStorage

_CACHE_SAMPLE = 64


@dataclass(slots=True)
class RunOptions:
    """What a run is told beside its workload."""

    accelerators: int = 1
    max_steps: int | None = None
    """Training steps of the whole run."""
    max_epochs: int | None = None


Event = Callable[..., None]


def _ignore(*_: object) -> None:
    return


@dataclass(slots=True)
class Observer:
    """Calls as a run goes on; each is given plain values."""

    epoch_begins: Event = _ignore
    """(epoch, steps)"""
    block_begins: Event = _ignore
    """(phase, epoch, block, steps)"""
    block_ends: Event = _ignore
    """(Block,)"""
    epoch_ends: Event = _ignore
    """(Epoch,)"""


@dataclass(slots=True)
class _Lane:
    """One phase's pool and accelerators."""

    feed: Feed
    pool: WorkerPool
    accelerators: Accelerators


class Experiment:
    """One run of a workload's training and evaluation."""

    def __init__(
        self, workload: Workload, options: RunOptions, *, plugins: Plugins, observer: Observer, stop: StopRequest
    ) -> None:
        if not (workload.workflow.train or workload.workflow.evaluation):
            raise ConfigError(
                [Problem("workflow", "asks for neither train nor evaluation, so there is nothing to run")]
            )
        self._workload, self._options = workload, options
        self._plugins, self._observer, self._stop = plugins, observer, stop
        self._seed = shuffle_seed(workload)
        self._random = np.random.default_rng((workload.train.seed, 0x636F6D70))
        self._steps_done = 0
        self._epochs: list[Epoch] = []
        self._memory: list[int] = []
        self._overshoot = Histogram()

    def run(self) -> RunRecord:
        """Raises what made going on impossible; a stop request ends it early with what there is."""
        sharpen_timers()
        begun, started = perf_counter_ns(), datetime.now()
        with contextlib.ExitStack() as stack:
            lanes = self._lanes(stack)
            main = lanes.get(Phase.TRAIN) or lanes[Phase.EVALUATE]
            ledger = SampleLedger(main.feed.files, main.feed.plan.samples_per_file)
            cached = _cached(main.feed)
            self._plugins.initialize(self._workload)
            for epoch in range(1, self._epochs_wanted() + 1):
                if self._stopped():
                    break
                self._epoch(epoch, lanes, ledger, begun)
            growth = None if cached is None else _grown(cached, _cached(main.feed))
            facts = self._loader_facts(main, growth)
        warnings = [warning for lane in lanes.values() for warning in lane.feed.warnings]
        if facts.retries:
            reasons = ", ".join(f"{reason} {count}" for reason, count in facts.retries.items())
            warnings.append(
                f"{sum(facts.retries.values())} of {facts.requests} requests had to be made again ({reasons})"
            )
        if facts.handed_over:
            warnings.append(
                f"{facts.handed_over} of {facts.reads} reads were done by the general client (obstore), which takes"
                " more CPU: a proxy stands between, or the answers were no plain successes"
            )
        if facts.fallbacks:
            warnings.append(
                f"{facts.fallbacks} of {facts.reads} reads went through the page cache although direct I/O was asked"
                " for: the file system does not support it"
            )
        usual = training_files(self._workload).file_format.usual
        warnings += [f"{name}: {count:,}" for name, count in facts.decoding.items() if name not in usual]
        return RunRecord(
            run_id=str(uuid.uuid4()),
            start=started,
            end=datetime.now(),
            duration_ns=perf_counter_ns() - begun,
            accelerators=self._options.accelerators,
            epochs=self._epochs,
            latencies=ledger.latencies(),
            access_order=ledger.access_order(),
            host=host_facts(),
            loader=facts,
            partial=self._stop.reason,
            warnings=tuple(warnings),
            peak_memory_bytes=max(self._memory, default=None),
            files_read=ledger.files_read,
            errors=0,
            clock={
                "resolution_ns": time.get_clock_info("perf_counter").resolution * 1e9,
                "deadline_overshoot_p50_ns": self._overshoot.percentile(50),
                "deadline_overshoot_p99_ns": self._overshoot.percentile(99),
                "memory_by_epoch_bytes": self._memory,
                "shuffle_seed": self._seed,
            },
        )

    def _lanes(self, stack: contextlib.ExitStack) -> dict[Phase, _Lane]:
        """Workers are up and their files found before the clock of the first epoch starts."""
        flow = self._workload.workflow
        phases = [phase for phase, on in ((Phase.TRAIN, flow.train), (Phase.EVALUATE, flow.evaluation)) if on]
        if not self._workload.dataset.num_files_eval and Phase.TRAIN in phases:
            phases = [Phase.TRAIN]
        feeds = [make_feed(self._workload, phase, self._options.accelerators, self._seed) for phase in phases]
        lanes = {}
        timeout = self._workload.reader.timeout
        for feed in feeds:
            pool = WorkerPool(feed.plan)
            stack.callback(pool.close)
            timeout_ns = None if timeout is None else int(timeout * 1e9)
            accelerators = Accelerators(pool, self._workload.reader.order, timeout_ns, self._stop)
            lanes[feed.phase] = _Lane(feed, pool, accelerators)
        for lane in lanes.values():
            lane.pool.report()
        return lanes

    def _epochs_wanted(self) -> int:
        epochs = self._workload.train.epochs
        return min(epochs, self._options.max_epochs or epochs)

    def _stopped(self) -> bool:
        limit = self._options.max_steps
        return self._stop.reason is not None or (limit is not None and self._steps_done >= limit)

    def _epoch(self, number: int, lanes: dict[Phase, _Lane], ledger: SampleLedger, run_start: int) -> None:
        start, blocks, duration = datetime.now(), [], 0
        train = lanes.get(Phase.TRAIN)
        if train is not None:
            steps = self._training_steps(train)
            self._observer.epoch_begins(number, steps)
            block = self._block(
                train, number, steps, self._workload.train.computation_time, ledger=ledger, run_start=run_start
            )
            blocks.append(block)
            duration = block.duration_ns
        evaluate = lanes.get(Phase.EVALUATE)
        if evaluate is not None and self._evaluates(number) and self._stop.reason is None:
            own = ledger if train is None else None
            time_ = self._workload.evaluation.eval_time
            blocks.append(
                self._block(evaluate, number, evaluate.feed.order.steps, time_, ledger=own, run_start=run_start)
            )
        self._plugins.after_epoch(number)
        pids = [os.getpid(), *(pid for lane in lanes.values() for pid in lane.pool.pids)]
        memory = proportional_set_size(pids)
        self._memory += [] if memory is None else [memory]
        epoch = Epoch(number, start, datetime.now(), duration, tuple(blocks), read_meminfo())
        self._epochs.append(epoch)
        self._observer.epoch_ends(epoch)

    def _training_steps(self, lane: _Lane) -> int:
        steps = lane.feed.order.steps
        cap = self._workload.train.total_training_steps
        if cap is not None and cap > 0:
            steps = min(steps, cap)
        if self._options.max_steps is not None:
            steps = min(steps, self._options.max_steps - self._steps_done)
        return steps

    def _evaluates(self, epoch: int) -> bool:
        section = self._workload.evaluation
        return (
            epoch >= section.eval_after_epoch and (epoch - section.eval_after_epoch) % section.epochs_between_evals == 0
        )

    def _block(
        self, lane: _Lane, epoch: int, steps: int, compute: Duration, *, ledger: SampleLedger | None, run_start: int
    ) -> Block:
        phase = lane.feed.phase
        compute_ns = self._draw(compute, steps)
        recorder = BlockRecorder(steps, self._options.accelerators, ledger)
        self._observer.block_begins(phase, epoch, 1, steps)
        first_step = self._steps_done + 1
        after_step = None
        if phase is Phase.TRAIN and self._plugins.follow_steps:
            after_step = lambda step: self._plugins.after_step(first_step + step)  # noqa: E731
        order = lane.feed.order
        if self._workload.train.seed_change_epoch:
            order = order.reseeded(epoch)
        before = lane.pool.stages()
        start, begun = datetime.now(), perf_counter_ns()
        done = lane.accelerators.run(order, compute_ns, recorder, run_start, after_step)
        ended = perf_counter_ns()
        end, after = datetime.now(), lane.pool.stages()
        stages = None if before is None or after is None else after - before
        stamps = recorder.stamps(done)
        if phase is Phase.TRAIN:
            self._steps_done += done
        self._overshoot.merge(lane.accelerators.overshoot)
        lane.accelerators.overshoot = Histogram()
        block = Block(phase, epoch, 1, start, end, ended - begun, steps, stamps, stages)
        self._observer.block_ends(block)
        return block

    def _draw(self, compute: Duration, steps: int) -> NDArray[np.int64]:
        accelerators = self._options.accelerators
        return compute.draw_ns(self._random, steps * accelerators).reshape(steps, accelerators)

    def _loader_facts(self, lane: _Lane, growth: int | None) -> LoaderFacts:
        reports, plan = lane.pool.report(), lane.feed.plan
        return LoaderFacts(
            engine=", ".join(sorted({report.queue.engine for report in reports})),
            workers=plan.workers,
            readers=plan.readers,
            outstanding_batches=plan.readers * plan.batches_ahead,
            max_inflight=plan.readers * plan.depth,
            deeper_than_dlio=lane.feed.deeper_than_dlio,
            reads=sum(report.queue.reads for report in reports),
            fallbacks=sum(report.queue.fallbacks for report in reports),
            page_cache_growth_bytes=growth,
            crop_bytes=plan.crop_bytes or None,
            decoding=_added(report.decoding for report in reports),
            indexes=sum(report.indexes for report in reports),
            index_ns=sum(report.index_ns for report in reports),
            retries=_added(report.queue.retries for report in reports),
            handed_over=sum(report.queue.handed_over for report in reports),
            requests=sum(report.queue.requests for report in reports),
            connections=sum(report.queue.connections for report in reports),
        )


def _added(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    """Name by name; what never happened is left out."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return {name: number for name, number in sorted(total.items()) if number}


def _cached(feed: Feed) -> int | None:
    """Bytes of a sample of the files in the page cache, where the storage is to bypass it."""
    storage = open_storage(feed.plan.uri, feed.plan.settings)
    if not isinstance(storage, DirectStorage):
        return None
    every = max(1, len(feed.files) // _CACHE_SAMPLE)
    return storage.cached_bytes([feed.files.key(index) for index in range(0, len(feed.files), every)])


def _grown(before: int, after: int | None) -> int | None:
    return None if after is None else after - before
