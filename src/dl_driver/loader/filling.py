# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches in the making: what the ways of filling them share.

A filler (one class a file, ``filling_*.py``) begins reads for the samples of a batch and takes what arrives. Which
batch is next, where it lies and when it is handed over is told here.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol

import numpy as np

from dl_driver.config import Duration
from dl_driver.dataset.order import EpochOrder, Int64, SampleRun
from dl_driver.errors import DataError, FormatError
from dl_driver.formats.base import Layout
from dl_driver.loader import messages
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.slab import IDLE, PACK_RUN, RECORD, RUN, Slab, records_of
from dl_driver.storage.base import Completion, Read
from dl_driver.storage.syscalls import address_of

TAG_SHIFT = 32
"""A read's tag is ``part << TAG_SHIFT | task number``."""
NUMBER_MASK = (1 << TAG_SHIFT) - 1
_MAX_LAYOUTS = 1 << 16
_NONE = np.empty(0, np.int64)
_RUN_POSITION, _RUN_COUNT = ((RUN.names or ()).index(name) for name in ("position", "count"))


@dataclass(slots=True)
class Filling:
    """A batch in the making."""

    step: int
    slot: int
    files: Int64
    samples: Int64
    """Of each file's number the sample's within it, in the batch's order."""
    count: int
    data: memoryview
    """The batch's room for samples."""
    address: int
    """Where that lies in memory."""
    header: int
    """Where the batch's records begin in the slab."""
    left: int
    """Samples that are not yet in their places."""
    begun: int = 0
    """Samples whose reads have begun, where they begin one by one."""
    chosen: Sequence[SampleRun] = ()
    """In place of ``files`` and ``samples``, where these were asked for as runs."""
    runs: list[tuple[int, ...]] = field(default_factory=list)
    """Samples whose records are not written, as runs (slab.RUN)."""


@dataclass(slots=True)
class Reader:
    """One reader's state. It stands for one of DLIO's reader threads: it fills batch after batch of its consumer (its
    own number, then every ``readers``-th), ``depth`` samples at a time, as long as the host grants places for batches.
    """

    number: int
    consumer: int
    rank: int
    step: int = 0
    """The next batch to begin."""
    granted: deque[int] = field(default_factory=deque)
    """Slots that may be filled."""
    busy: int = 0
    """Samples, groups of samples or indexes in flight or being preprocessed."""


class Filler(Protocol):
    """One way to fill batches; keeps what is in flight. Errors of reads and of data are raised with the file's name."""

    def begin(self, reader: Reader, reads: list[Read]) -> None:
        """Add the reads of what this reader can begin now."""
        ...

    def arrived(self, completions: Sequence[Completion], reads: list[Read]) -> None:
        """Take what came; add what is to be read further."""
        ...

    def revoke(self) -> None:
        """Begin nothing more of the batches in the making; what is in flight still arrives."""
        ...

    def report(self) -> tuple[int, int]:
        """Indexes made so far, and the time from their first read until they were there."""
        ...


class Batches:
    """Gives out the batches to fill and takes the samples that are in their places."""

    def __init__(self, plan: LoaderPlan, slab: Slab, worker: int, send: Callable[[bytes], None]) -> None:
        self._plan, self._slab, self._send = plan, slab, send
        self._slab_address = address_of(slab.view)
        self._preprocessing: _Preprocessing | None = None
        if plan.preprocess and not plan.preprocess.is_zero:
            self._preprocessing = _Preprocessing(plan.preprocess, (plan.seed, worker))
        self.order: EpochOrder | None = None
        self.records = slab.view
        """Where a filler writes samples' records, from ``Filling.header`` on."""
        self.without_place = 0
        """Samples (or runs of them) that readers could have begun since this was set to 0, had there been places."""
        self._layouts: dict[Layout, int] = {}
        self._last_layout: Layout = ()
        self._last_layout_number = -1
        self._next_layout = 0

    def next(self, reader: Reader, in_runs: bool = False) -> Filling | None:
        """A reader's next batch, its samples as runs or each by itself; None where it may not begin one or has none
        left."""
        order = self.order
        while order is not None and reader.granted and reader.step < order.steps:
            files, samples = _NONE, _NONE
            chosen: Sequence[SampleRun] = ()
            if in_runs:
                chosen = order.batch_runs(reader.rank, reader.step)
            else:
                files, samples = order.batch(reader.rank, reader.step)
            slot, step, count = reader.granted.popleft(), reader.step, len(files) + sum(run.length for run in chosen)
            reader.step += self._plan.readers
            if not count:
                self._send(messages.batch(reader.consumer, step, slot, 0))
                continue
            start, header = self._slab.data_offset(slot), self._slab.header_offset(slot)
            data = self._slab.view[start : start + self._slab.data_bytes]
            place = self._slab_address + start
            return Filling(step, slot, files, samples, count, data, place, header, count, chosen=chosen)
        if order is not None and reader.step < order.steps:
            self.without_place += self._plan.depth - reader.busy
        return None

    def busy(self, reader: Reader, file: int, count: int = 1) -> None:
        """A reader has so much more to do, last with this file."""
        reader.busy += count
        self._slab.status[reader.number] = file

    def idle(self, reader: Reader) -> None:
        """A reader has one thing less to do."""
        reader.busy -= 1
        if not reader.busy:
            self._slab.status[reader.number] = IDLE

    def done(self, reader: Reader, filling: Filling, count: int) -> None:
        """One thing that a reader did brought so many samples of a batch to their places, and their records are
        written: the batch is handed over with the last of them, after their preprocessing."""
        if self._preprocessing is not None:
            self._preprocessing.add(reader, filling, count)
            return
        reader.busy -= 1
        filling.left -= count
        if not reader.busy or not filling.left:
            self._completed(reader, filling)

    def finish_preprocessing(self) -> None:
        """Hand over what has been preprocessed."""
        if self._preprocessing is not None:
            for done in self._preprocessing.finished():
                self._filled(*done)

    @property
    def preprocessing(self) -> int:
        """Samples (or runs of them) that take their preprocess_time."""
        return 0 if self._preprocessing is None else len(self._preprocessing)

    def timeout_ns(self, timeout_ns: int | None) -> int | None:
        """How long may be waited, of this time at most, until a sample has been preprocessed."""
        return timeout_ns if self._preprocessing is None else self._preprocessing.timeout_ns(timeout_ns)

    def _filled(self, reader: Reader, filling: Filling, count: int) -> None:
        reader.busy -= 1
        filling.left -= count
        self._completed(reader, filling)

    def _completed(self, reader: Reader, filling: Filling) -> None:
        """What ended with a sample: perhaps all that its reader did, perhaps its batch."""
        if not reader.busy:
            self._slab.status[reader.number] = IDLE
        if not filling.left:
            runs = self._write_runs(filling) if filling.runs else 0
            self._send(messages.batch(reader.consumer, filling.step, filling.slot, filling.count, runs))

    def _write_runs(self, filling: Filling) -> int:
        """Write a batch's runs where they tell of all its samples, and say how many; else the records of theirs."""
        runs = filling.runs
        whole = sum(run[_RUN_COUNT] for run in runs) == filling.count
        if whole and len(runs) * RUN.itemsize <= filling.count * RECORD.itemsize:
            for number, run in enumerate(runs):
                PACK_RUN(self.records, filling.header + number * RUN.itemsize, *run)
            return len(runs)
        records = np.frombuffer(self.records, RECORD, filling.count, filling.header)
        for run in runs:
            position = run[_RUN_POSITION]
            records[position : position + run[_RUN_COUNT]] = records_of(np.array([run], RUN))
        return 0

    def layout_number(self, layout: Layout) -> int:
        """What stands for a layout in records; the host is told of new ones."""
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

    @contextmanager
    def naming(self, file: int) -> Iterator[None]:
        """Say which file an error is about."""
        try:
            yield
        except (FormatError, DataError) as error:
            raise self.named(error, file) from error

    def named(self, error: FormatError | DataError, file: int) -> FormatError | DataError:
        """The same error with the file's name."""
        return type(error)(f"{self._plan.uri.rstrip('/')}/{self._plan.files.key(file)}: {error}")


class _Preprocessing:
    """Samples that have arrived and take their ``preprocess_time``. A reader works on one sample after another."""

    def __init__(self, duration: Duration, seed: tuple[int, int]) -> None:
        self._duration, self._random = duration, np.random.default_rng(seed)
        self._due: list[tuple[int, int, Reader, Filling, int]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, reader: Reader, filling: Filling, count: int) -> None:
        """Start with so many samples."""
        due = perf_counter_ns() + int(self._duration.draw_ns(self._random, count).sum())
        self._added += 1
        heapq.heappush(self._due, (due, self._added, reader, filling, count))

    def timeout_ns(self, timeout_ns: int | None) -> int | None:
        """How long may be waited, of this time at most."""
        if not self._due:
            return timeout_ns
        left = max(0, self._due[0][0] - perf_counter_ns())
        return left if timeout_ns is None else min(left, timeout_ns)

    def finished(self) -> Iterator[tuple[Reader, Filling, int]]:
        """Those whose time is over."""
        while self._due and self._due[0][0] <= perf_counter_ns():
            _, _, reader, filling, count = heapq.heappop(self._due)
            yield reader, filling, count


def divided(total: int, count: int) -> list[int]:
    """Equal shares, what is left over in the first."""
    share, rest = divmod(total, count)
    return [share + rest, *[share] * (count - 1)]
