# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accelerators of a host: state machines in one process.

Each waits for its batch, computes until its deadline, and meets the others at the step's barrier. The work is a timer,
so nothing but the wait for data and the barrier can make a step longer; how late deadlines were noticed is recorded.
"""

import gc
import heapq
from collections.abc import Callable, Sequence
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
_DIGEST_NS = 3_000_000
"""Records of samples are digested where there is so much time."""
_MOST_OVERSHOOTS = 1 << 16
_LOOK_UP_NS = 500_000_000
"""Who waits for data looks up so often whether it shall stop."""
_PATIENCE_NS = 5_000_000_000
"""After a request to stop, a step that waits for data gets so long, since a storage may hang for ever."""


@dataclass(slots=True)
class _Step:
    """One step's stamps; all times are of perf_counter_ns, one an accelerator."""

    number: int
    compute_ns: list[int]
    taken_ns: list[int]
    done_ns: list[int]
    overshoot_ns: list[int]
    held: list[ReadyBatch]
    begun_ns: int = 0
    barrier_ns: int = 0

    @classmethod
    def of(cls, number: int, compute_ns: NDArray[np.int64]) -> "_Step":
        """A step that has not begun."""
        times: list[int] = compute_ns[number].tolist()
        count = len(times)
        return cls(number, times, [0] * count, [0] * count, [0] * count, [])


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
        self._recorder, self._run_start_ns = BlockRecorder(0, self._count, None), 0
        self._upcoming: _Step | None = None
        self._give_up_ns = 0
        """When a step that waits for data is given up; 0 until the run shall stop."""
        self._unrecorded: _Step | None = None
        """The step before, whose stamps are written down while the accelerators compute."""
        self.overshoot = Histogram()
        """Nanoseconds from a deadline until it was noticed, of the blocks that are over."""
        self._overshoot_ns: list[int] = []
        """Those not yet in there, since one value costs a histogram as much as thousands."""

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
        self._recorder, self._run_start_ns = recorder, run_start_ns
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            done = self._steps(compute_ns, after_step)
        finally:
            if was_enabled:
                gc.enable()
        if done < order.steps and self._stop.reason is None:
            self._pool.stop()
        self._pool.took((), self._held)
        self._held = []
        return done

    def _steps(self, compute_ns: NDArray[np.int64], after_step: Callable[[int], None] | None) -> int:
        steps, done = len(compute_ns), 0
        self._upcoming = _Step.of(0, compute_ns) if steps else None
        self._unrecorded = None
        begun = perf_counter_ns()
        while self._upcoming is not None and self._stop.reason is None:
            step = self._upcoming
            step.begun_ns = begun
            if not self._step(step, compute_ns):
                break
            done += 1
            begun = step.barrier_ns
            self._unrecorded = step
            if after_step is not None:
                after_step(step.number)
                begun = perf_counter_ns()
        if self._unrecorded is not None:
            self._record()
        self._digest_overshoots()
        return done

    def _step(self, step: "_Step", compute_ns: NDArray[np.int64]) -> bool:
        """One step of all, until its barrier is passed; False where it was given up, since the run shall stop and its
        data did not come. What has to be written down waits until all compute."""
        waiting = list(range(self._count))
        deadlines: list[tuple[int, int]] = []
        self._upcoming = None
        while waiting or deadlines:
            if waiting:
                batches, waiting = self._take(step.number, waiting, step.taken_ns)
                for batch in batches:
                    number = batch.consumer
                    heapq.heappush(deadlines, (step.taken_ns[number] + step.compute_ns[number], number))
                if batches:
                    self._pool.took(batches, self._held)
                    self._held = []
                    step.held += batches
                    self._keep_records(step.number, batches)
            now = perf_counter_ns()
            while deadlines and deadlines[0][0] <= now:
                deadline, number = heapq.heappop(deadlines)
                step.done_ns[number], step.overshoot_ns[number] = now, now - deadline
                now = perf_counter_ns()
            if deadlines:
                left = deadlines[0][0] - now
                if left > _SPIN_NS:
                    self._write_down(left, step, compute_ns)
                    self._pool.pump(deadlines[0][0] - perf_counter_ns() - _SPIN_NS)
            elif waiting and not self._await_data(step.begun_ns):
                self._held = step.held
                return False
        step.barrier_ns = perf_counter_ns()
        self._held = step.held
        self._write_down(0, step, compute_ns)
        return True

    def _keep_records(self, step: int, batches: Sequence[ReadyBatch]) -> None:
        for batch in batches:
            self._recorder.batch(step, batch.consumer, batch.count, self._pool.records(batch))

    def _write_down(self, left_ns: int, step: "_Step", compute_ns: NDArray[np.int64]) -> None:
        """Bookkeeping, in the time that is ``left_ns`` to the next deadline."""
        if self._unrecorded is not None:
            self._record()
        if self._upcoming is None and step.number + 1 < len(compute_ns):
            self._upcoming = _Step.of(step.number + 1, compute_ns)
        if left_ns > _DIGEST_NS or self._recorder.is_full:
            self._recorder.flush()

    def _record(self) -> None:
        step, recorder = self._unrecorded, self._recorder
        assert step is not None
        number, self._unrecorded = step.number, None
        recorder.wait_ns[number] = [taken - step.begun_ns for taken in step.taken_ns]
        recorder.compute_ns[number] = [done - taken for done, taken in zip(step.done_ns, step.taken_ns, strict=True)]
        recorder.barrier_ns[number] = [step.barrier_ns - done for done in step.done_ns]
        recorder.end_ns[number] = step.barrier_ns - self._run_start_ns
        self._overshoot_ns += step.overshoot_ns
        if len(self._overshoot_ns) > _MOST_OVERSHOOTS:
            self._digest_overshoots()

    def _digest_overshoots(self) -> None:
        self.overshoot.record(np.array(self._overshoot_ns, np.int64))
        self._overshoot_ns.clear()

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

    def _await_data(self, begun: int) -> bool:
        """Wait a while; False when nothing is to be waited for any more, since the run shall stop."""
        left = _LOOK_UP_NS
        if self._timeout_ns is not None:
            left = min(left, begun + self._timeout_ns - perf_counter_ns())
        self._pool.pump(left)
        if self._stop.reason is not None:
            self._give_up_ns = self._give_up_ns or perf_counter_ns() + _PATIENCE_NS
            return perf_counter_ns() < self._give_up_ns
        if self._timeout_ns is not None and perf_counter_ns() - begun > self._timeout_ns:
            raise RunError(
                f"no batch within {self._timeout_ns / 1e9:g} s (--timeout){self._pool.describe_reading()}; the storage"
                " hangs, or the timeout is too short for it"
            )
        return True
