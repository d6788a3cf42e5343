# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accelerators of a host: state machines in one process.

Each waits for its batch, computes until its deadline, and meets the others at the step's barrier. The work is a timer,
so nothing but the wait for data and the barrier can make a step longer; how late deadlines were noticed is recorded.
"""

import gc
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import RunError
from dl_driver.loader.pool import ReadyBatch, WorkerPool
from dl_driver.metrics.histogram import Histogram
from dl_driver.run.recorder import BlockRecorder

_SPIN_NS = 60_000
"""Before a deadline the clock is watched for so long, since a sleep may end late."""


@dataclass(slots=True)
class StopRequest:
    """Set from outside, a signal handler perhaps: stop when the step is over."""

    reason: str | None = None


class Accelerators:
    """All accelerators that one pool feeds."""

    def __init__(
        self, pool: WorkerPool, order: Literal["plan", "completion"], timeout_ns: int | None, stop: StopRequest
    ) -> None:
        self._pool, self._in_plan_order, self._timeout_ns, self._stop = pool, order == "plan", timeout_ns, stop
        self._count = pool.plan.consumers
        self._held: list[ReadyBatch] = []
        self.overshoot = Histogram()
        """Nanoseconds from a deadline until it was noticed."""

    def run(
        self,
        order: EpochOrder,
        compute_ns: NDArray[np.int64],
        recorder: BlockRecorder,
        run_start_ns: int,
        after_step: Callable[[int], None] | None = None,
    ) -> int:
        """As many steps as ``compute_ns`` (steps, accelerators) has rows; returns how many ended. Collection of garbage
        waits until they are over. ``after_step`` is called with each step's number, outside the stamps."""
        self._pool.start(order)
        overshoots = np.zeros_like(compute_ns)
        steps = len(compute_ns)
        was_enabled = gc.isenabled()
        gc.disable()
        done = 0
        try:
            begun = perf_counter_ns()
            while done < steps and self._stop.reason is None:
                begun = self._step(done, begun, compute_ns[done].tolist(), recorder, overshoots[done])
                recorder.end_ns[done] = begun - run_start_ns
                done += 1
                if after_step is not None:
                    after_step(done - 1)
                    begun = perf_counter_ns()
        finally:
            if was_enabled:
                gc.enable()
        if done < order.steps and self._stop.reason is None:
            self._pool.stop()
        self._pool.took((), self._held)
        self._held = []
        self.overshoot.record(overshoots[:done].ravel())
        return done

    def _step(
        self, step: int, begun: int, compute_ns: list[int], recorder: BlockRecorder, overshoots: NDArray[np.int64]
    ) -> int:
        """One step of all; returns when its barrier was passed."""
        count = self._count
        waiting = list(range(count))
        deadlines: list[tuple[int, int]] = []
        taken_ns, done_ns = [0] * count, [0] * count
        held: list[ReadyBatch] = []
        while waiting or deadlines:
            if waiting:
                batches, waiting = self._take(step, waiting, taken_ns)
                for batch in batches:
                    number = batch.consumer
                    heapq.heappush(deadlines, (taken_ns[number] + compute_ns[number], number))
                if batches:
                    self._pool.took(batches, self._held)
                    self._held = []
                    held += batches
                    for batch in batches:
                        recorder.batch(step, batch.consumer, batch.count, self._pool.records(batch))
            now = perf_counter_ns()
            while deadlines and deadlines[0][0] <= now:
                deadline, number = heapq.heappop(deadlines)
                done_ns[number] = now
                overshoots[number] = now - deadline
                now = perf_counter_ns()
            if deadlines:
                left = deadlines[0][0] - now
                if left > _SPIN_NS:
                    self._pool.pump(left - _SPIN_NS)
            elif waiting:
                self._await_data(begun)
        barrier = perf_counter_ns()
        self._held = held
        recorder.wait_ns[step] = [taken - begun for taken in taken_ns]
        recorder.compute_ns[step] = [done - taken for done, taken in zip(done_ns, taken_ns, strict=True)]
        recorder.barrier_ns[step] = [barrier - done for done in done_ns]
        return barrier

    def _take(self, step: int, waiting: list[int], taken_ns: list[int]) -> tuple[list[ReadyBatch], list[int]]:
        """Give every waiting accelerator its batch where it is ready; returns those taken and who still waits."""
        batches, still = [], []
        for number in waiting:
            ready = self._pool.ready(number)
            wanted = step if self._in_plan_order else next(iter(ready), None)
            if wanted is None or wanted not in ready:
                still.append(number)
            else:
                batches.append(self._pool.take(number, wanted))
                taken_ns[number] = perf_counter_ns()
        return batches, still

    def _await_data(self, begun: int) -> None:
        left = None if self._timeout_ns is None else begun + self._timeout_ns - perf_counter_ns()
        self._pool.pump(left)
        if self._timeout_ns is not None and perf_counter_ns() - begun > self._timeout_ns:
            raise RunError(
                f"no batch within {self._timeout_ns / 1e9:g} s (--timeout){self._pool.describe_reading()}; the storage"
                " hangs, or the timeout is too short for it"
            )
