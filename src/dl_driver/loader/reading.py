# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's readers: state machines over one queue of reads.

A reader stands for one of DLIO's reader threads: it fills batch after batch of its consumer (its own number, then every
``readers``-th), ``depth`` samples at a time, as long as the host grants it places for batches.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np

from dl_driver import errors
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import DataError, DlDriverError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import Layout
from dl_driver.formats.expectation import expecting
from dl_driver.loader import messages
from dl_driver.loader.delivery import TAG_SHIFT, Task, make_deliverer
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.slab import IDLE, PACK_RECORD, RECORD, Slab
from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Read

_NUMBER_MASK = (1 << TAG_SHIFT) - 1
_MAX_LAYOUTS = 1 << 16


@dataclass(slots=True)
class _Filling:
    """A batch in the making."""

    step: int
    slot: int
    files: list[int]
    samples: list[int]
    data: memoryview
    header: int
    begun: int = 0
    left: int = 0


@dataclass(slots=True)
class _Reader:
    """One reader's state."""

    number: int
    consumer: int
    rank: int
    step: int = 0
    """The next batch to begin."""
    granted: deque[int] = field(default_factory=deque)
    """Slots that may be filled."""
    filling: _Filling | None = None
    """The batch whose samples are being begun; earlier ones may still have samples in flight."""
    busy: int = 0
    """Samples in flight or being preprocessed."""


class ReaderLoop:
    """Runs the readers of one worker. ``send`` takes packets for the host (messages.py)."""

    def __init__(
        self, plan: LoaderPlan, slab: Slab, worker: int, send: Callable[[bytes], None], watch: int | None = None
    ) -> None:
        self._plan, self._slab, self._send = plan, slab, send
        self._readers = {
            number: _Reader(number, number // plan.readers, plan.first_rank + number // plan.readers)
            for number in plan.readers_of(worker)
        }
        max_tasks = max(1, len(self._readers) * plan.depth)
        self._deliverer = make_deliverer(plan, expecting(get_format(plan.format), plan.expected), max_tasks)
        self._windows = plan.delivery is Delivery.WINDOWS
        self._queue = open_storage(plan.uri, plan.settings).open_reader(max_tasks * (2 if self._windows else 1), watch)
        self._order: EpochOrder | None = None
        self._tasks: dict[int, tuple[Task, _Reader, _Filling, int]] = {}
        self._next_task = 1
        self._layouts: dict[Layout, int] = {}
        self._last_layout: Layout = ()
        self._last_layout_number = -1
        self._next_layout = 0
        self._preprocess = plan.preprocess if plan.preprocess and not plan.preprocess.is_zero else None
        self._random = np.random.default_rng((plan.seed, worker))
        self._preprocessing: list[tuple[int, int]] = []
        self._draining = False

    def handle(self, packet: bytes) -> None:
        """Take a packet from the host."""
        letter = packet[:1]
        if letter == messages.CREDIT:
            for reader, slot in messages.read_credits(packet):
                self._readers[reader].granted.append(slot)
        elif letter == messages.START:
            self._start(messages.unpickled(packet))
        elif letter == messages.DRAIN:
            self._draining = True
            self._revoke_grants()
        elif letter == messages.ASK:
            report = messages.WorkerReport(self._queue.report(), time.process_time_ns())
            self._send(messages.pickled(messages.REPORT, report))

    def turn(self, timeout_ns: int | None = None) -> None:
        """Begin what can be begun, then wait for reads, the host or a timer, and finish what can be finished."""
        reads = self._begin_samples()
        if reads:
            self._queue.submit(reads)
        if self._draining and not self._tasks:
            self._draining = False
            self._send(messages.DRAINED)
        if self._preprocessing:
            left = max(0, self._preprocessing[0][0] - perf_counter_ns())
            timeout_ns = left if timeout_ns is None else min(left, timeout_ns)
        further: list[Read] = []
        for completion in self._queue.wait(timeout_ns):
            further += self._arrived(completion)
        if further:
            self._queue.submit(further)
        while self._preprocessing and self._preprocessing[0][0] <= perf_counter_ns():
            self._delivered(heapq.heappop(self._preprocessing)[1])

    def close(self) -> None:
        """Wait for what is in flight and give back descriptors."""
        self._queue.close()

    def _start(self, order: object) -> None:
        assert isinstance(order, EpochOrder)
        self._order = order
        for reader in self._readers.values():
            reader.step = reader.number % self._plan.readers
        self._revoke_grants()

    def _revoke_grants(self) -> None:
        for reader in self._readers.values():
            reader.granted.clear()
            reader.filling = None

    def _begin_samples(self) -> Sequence[Read]:
        reads: list[Read] = []
        if self._order is None or self._draining:
            return reads
        depth = self._plan.depth
        for reader in self._readers.values():
            while reader.busy < depth:
                filling = reader.filling or self._begin_batch(reader, self._order)
                if filling is None:
                    break
                reads += self._begin_sample(reader, filling)
        return reads

    def _begin_batch(self, reader: _Reader, order: EpochOrder) -> _Filling | None:
        if not reader.granted or reader.step >= order.steps:
            return None
        files, samples = order.batch(reader.rank, reader.step)
        slot = reader.granted.popleft()
        start = self._slab.data_offset(slot)
        data = self._slab.view[start : start + self._slab.data_bytes]
        header = self._slab.header_offset(slot)
        filling = _Filling(reader.step, slot, files.tolist(), samples.tolist(), data, header, left=len(files))
        reader.step += self._plan.readers
        if not filling.files:
            self._send(messages.batch(reader.consumer, filling.step, slot, 0))
            return self._begin_batch(reader, order)
        reader.filling = filling
        return filling

    def _begin_sample(self, reader: _Reader, filling: _Filling) -> Sequence[Read]:
        index = filling.begun
        file = filling.files[index]
        start = index * self._plan.stride
        place = filling.data[start : start + self._plan.stride]
        number = self._next_task
        self._next_task = (number & _NUMBER_MASK) + 1
        task = Task(number, file, filling.samples[index], self._plan.files.key(file), place)
        self._tasks[number] = (task, reader, filling, index)
        self._slab.status[reader.number] = file
        reader.busy += 1
        filling.begun = index + 1
        if filling.begun == len(filling.files):
            reader.filling = None
        return self._deliverer.begin(task)

    def _arrived(self, completion: Completion) -> Sequence[Read]:
        number = completion.tag & _NUMBER_MASK
        task = self._tasks[number][0]
        if completion.error is not None:
            raise completion.error
        try:
            further = self._deliverer.complete(task, completion, completion.tag >> TAG_SHIFT)
        except (FormatError, DataError) as error:
            where = f"{self._plan.uri.rstrip('/')}/{task.key}"
            raise type(error)(f"{where}: {error}") from error
        if further is not None:
            return further
        self._deliverer.forget(task)
        if self._windows:
            self._queue.release(number)
        if self._preprocess is None:
            self._delivered(number)
        else:
            due = perf_counter_ns() + int(self._preprocess.draw_ns(self._random, 1)[0])
            heapq.heappush(self._preprocessing, (due, number))
        return ()

    def _delivered(self, number: int) -> None:
        task, reader, filling, index = self._tasks.pop(number)
        PACK_RECORD(
            self._slab.view, filling.header + index * RECORD.itemsize,
            task.file, task.sample, task.length, task.read_bytes, task.submitted_ns, task.first_byte_ns, task.done_ns,
            task.decode_ns, self._layout_number(task.layout),
        )  # fmt: skip
        reader.busy -= 1
        if not reader.busy:
            self._slab.status[reader.number] = IDLE
        filling.left -= 1
        if not filling.left:
            self._send(messages.batch(reader.consumer, filling.step, filling.slot, len(filling.files)))

    def _layout_number(self, layout: Layout) -> int:
        if layout is self._last_layout:
            return self._last_layout_number
        number = self._layouts.get(layout)
        if number is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            number = self._layouts[layout] = self._next_layout
            self._next_layout = (number + 1) % (2 * _MAX_LAYOUTS)
            self._send(messages.layout(number, layout))
        self._last_layout, self._last_layout_number = layout, number
        return number


def failure_of(error: DlDriverError) -> messages.WorkerFailure:
    """An error as a packet's content."""
    return messages.WorkerFailure(type(error).__name__, str(error))


def error_of(failure: messages.WorkerFailure) -> DlDriverError:
    """The error that a worker met, to be raised in the host process."""
    kind = getattr(errors, failure.kind, errors.RunError)
    error: DlDriverError = kind(failure.message)
    return error
