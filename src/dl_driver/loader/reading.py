# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's readers: state machines over one queue of reads.

A reader stands for one of DLIO's reader threads: it fills batch after batch of its consumer (its own number, then every
``readers``-th), ``depth`` samples at a time, as long as the host grants it places for batches.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter_ns

import numpy as np

from dl_driver import errors
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import DataError, DlDriverError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import Layout
from dl_driver.formats.expectation import expecting
from dl_driver.formats.spans import FileIndex, PlacedRows
from dl_driver.loader import messages
from dl_driver.loader.delivery import TAG_SHIFT, Task, make_deliverer
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.slab import IDLE, PACK_RECORD, RECORD, Slab
from dl_driver.loader.spans import BatchRoom, GroupTask, IndexTask, Located, Part, SpanDelivery, parts_of
from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Read, ReadQueue

_NUMBER_MASK = (1 << TAG_SHIFT) - 1
_MAX_LAYOUTS = 1 << 16
_LEAST_DEPTH = 32
"""Of the queue where a format asks for many spans at once."""


@dataclass(slots=True)
class _Filling:
    """A batch in the making."""

    step: int
    slot: int
    files: list[int]
    samples: list[int]
    """Both empty for deliveries by spans."""
    count: int
    data: memoryview
    header: int
    begun: int = 0
    left: int = 0
    room: BatchRoom | None = None
    parts: list[Part] = field(default_factory=list)
    """What is left to begin, the next one last; for deliveries by spans."""


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
    """Samples, groups of samples or indexes in flight or being preprocessed."""
    located: deque[tuple[_Filling, Located]] = field(default_factory=deque)
    """Groups to begin, before anything else."""


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
        self._format = get_format(plan.format, plan.options)
        self._shuffle_unit = self._format.shuffle_unit(plan.samples_per_file)
        storage = open_storage(plan.uri, plan.settings)
        self._spans: SpanDelivery | None = None
        self._windows = plan.delivery is Delivery.WINDOWS
        depth = max_tasks * (2 if self._windows else 1)
        if plan.delivery in (Delivery.SPANS, Delivery.UNPACK):
            self._rows, self._counting = np.zeros(plan.batch_size, RECORD), np.arange(plan.batch_size)
            """Records in the making, in memory that is used again and again."""
            self._spans = SpanDelivery(plan, self._format, lambda key: storage.stat(key).size)
            depth = max(_LEAST_DEPTH, max_tasks * self._format.spans_per_sample())
        else:
            self._deliverer = make_deliverer(plan, expecting(self._format, plan.expected), max_tasks)
        self._queue = LimitedQueue(storage.open_reader(depth, watch), depth)
        self._order: EpochOrder | None = None
        self._tasks: dict[int, tuple[Task, _Reader, _Filling, int]] = {}
        self._groups: dict[int, tuple[GroupTask, _Reader, _Filling]] = {}
        self._indexing: dict[int, tuple[IndexTask, _Reader]] = {}
        self._index_of: dict[int, IndexTask] = {}
        """Indexes in the making by file."""
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
            spans = self._spans
            made = (0, 0) if spans is None else (spans.indexes, spans.index_ns)
            decoding = dict(self._format.report())
            report = messages.WorkerReport(self._queue.report(), time.process_time_ns(), decoding, *made)
            self._send(messages.pickled(messages.REPORT, report))

    def turn(self, timeout_ns: int | None = None) -> bool:
        """Begin what can be begun, then wait for reads, the host or a timer, and finish what can be finished. True when
        the host said something."""
        reads = self._begin_samples()
        if reads:
            self._queue.submit(reads)
        if self._draining and not (self._tasks or self._groups or self._indexing):
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
        return self._queue.woken

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
            reader.located.clear()
            reader.filling = None
        for task in self._index_of.values():
            task.waiting.clear()

    def _begin_samples(self) -> Sequence[Read]:
        reads: list[Read] = []
        if self._order is None or self._draining:
            return reads
        depth = self._plan.depth
        for reader in self._readers.values():
            while reader.busy < depth:
                if reader.located:
                    reads += self._begin_group(reader, *reader.located.popleft())
                    continue
                filling = reader.filling or self._begin_batch(reader, self._order)
                if filling is None:
                    break
                begin = self._begin_sample if self._spans is None else self._begin_part
                reads += begin(reader, filling)
        return reads

    def _begin_batch(self, reader: _Reader, order: EpochOrder) -> _Filling | None:
        if not reader.granted or reader.step >= order.steps:
            return None
        files, samples = order.batch(reader.rank, reader.step)
        slot = reader.granted.popleft()
        start = self._slab.data_offset(slot)
        data = self._slab.view[start : start + self._slab.data_bytes]
        header = self._slab.header_offset(slot)
        by_sample = self._spans is None
        filling = _Filling(
            reader.step,
            slot,
            files.tolist() if by_sample else [],
            samples.tolist() if by_sample else [],
            len(files),
            data,
            header,
            left=len(files),
        )
        reader.step += self._plan.readers
        if not filling.count:
            self._send(messages.batch(reader.consumer, filling.step, slot, 0))
            return self._begin_batch(reader, order)
        if self._spans is not None:
            filling.room = BatchRoom(data)
            filling.parts = parts_of(files, samples, self._shuffle_unit)[::-1]
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
        if filling.begun == filling.count:
            reader.filling = None
        return self._deliverer.begin(task)

    def _begin_part(self, reader: _Reader, filling: _Filling) -> Sequence[Read]:
        """Locate the samples of one file of a batch; its index may have to be read first."""
        assert self._spans is not None
        part = filling.parts.pop()
        if not filling.parts:
            reader.filling = None
        index = self._spans.cache.get(part.file)
        if index is not None:
            self._locate(reader, filling, part, index)
            return ()
        go_on = partial(self._locate, reader, filling, part)
        if part.file in self._index_of:
            self._index_of[part.file].waiting.append(go_on)
            return ()
        number, key = self._new_number(), self._plan.files.key(part.file)
        task = IndexTask(number, part.file, key, self._format.index(key, self._plan.samples_per_file), [go_on])
        with self._naming(key):
            reads = self._spans.begin_index(task)
        if reads is None:
            self._indexed(task)
            return ()
        self._indexing[number] = (task, reader)
        self._index_of[part.file] = task
        self._slab.status[reader.number] = part.file
        reader.busy += 1
        return reads

    def _locate(self, reader: _Reader, filling: _Filling, part: Part, index: FileIndex) -> None:
        assert self._spans is not None
        with self._naming(self._plan.files.key(part.file)):
            reader.located.extend((filling, located) for located in self._spans.locate(index, part))

    def _begin_group(self, reader: _Reader, filling: _Filling, located: Located) -> Sequence[Read]:
        assert self._spans is not None
        assert filling.room is not None
        with self._naming(self._plan.files.key(located.file)):
            task, reads = self._spans.begin(self._new_number(), located, filling.room)
        self._groups[task.number] = (task, reader, filling)
        self._slab.status[reader.number] = located.file
        reader.busy += 1
        return reads

    def _index_arrived(self, number: int, completion: Completion) -> Sequence[Read]:
        assert self._spans is not None
        task, reader = self._indexing[number]
        with self._naming(task.key):
            reads = self._spans.index_arrived(task, completion, completion.tag >> TAG_SHIFT)
        if reads is not None:
            return reads
        del self._indexing[number]
        del self._index_of[task.file]
        self._idle(reader)
        self._indexed(task)
        return ()

    def _indexed(self, task: IndexTask) -> None:
        """An index is there: go on with the batches that waited for it."""
        assert self._spans is not None
        index = self._spans.cache.get(task.file)
        assert index is not None
        for go_on in task.waiting:
            go_on(index)

    def _group_arrived(self, number: int, completion: Completion) -> Sequence[Read]:
        assert self._spans is not None
        task, _, _ = self._groups[number]
        if completion.error is not None:
            raise completion.error
        with self._naming(task.key):
            if not self._spans.complete(task, completion, completion.tag >> TAG_SHIFT):
                return ()
        self._spans.forget(task)
        if len(task.arrived) > 1:
            self._queue.release(number)
        self._preprocess_or_deliver(number, len(task.placed))
        return ()

    def _group_delivered(self, number: int) -> None:
        task, reader, filling = self._groups.pop(number)
        located, count = task.located, len(task.placed)
        if isinstance(task.placed, PlacedRows):
            self._record_rows(task, task.placed, filling)
            self._idle(reader)
            self._filled(reader, filling, count)
            return
        shares = [divided(total, count) for total in (task.read_bytes, task.decode_ns)]
        for position, sample, placed, read_bytes, decode_ns in zip(
            located.positions, located.group.samples, task.placed, *shares, strict=True
        ):
            PACK_RECORD(
                self._slab.view, filling.header + position * RECORD.itemsize,
                located.file, sample, placed.start, placed.length, read_bytes, task.submitted_ns, task.first_byte_ns,
                task.done_ns, decode_ns, self._layout_number(placed.layout),
            )  # fmt: skip
        self._idle(reader)
        self._filled(reader, filling, count)

    def _record_rows(self, task: GroupTask, placed: PlacedRows, filling: _Filling) -> None:
        """The records of samples that are alike, written a field at a time."""
        located, count = task.located, len(placed)
        records = np.frombuffer(self._slab.view, RECORD, filling.count, filling.header)
        positions: slice | Sequence[int] = located.positions
        if isinstance(positions, range):
            positions = slice(positions.start, positions.stop)
        rows = self._rows[:count]
        samples = located.group.samples
        if isinstance(samples, range):
            np.add(self._counting[:count], samples.start, out=rows["sample"])
        else:
            rows["sample"] = samples
        np.multiply(self._counting[:count], placed.stride, out=rows["start"])
        rows["start"] += placed.start
        rows["file"], rows["length"], rows["layout"] = located.file, placed.length, self._layout_number(placed.layout)
        rows["submitted_ns"], rows["first_byte_ns"] = task.submitted_ns, task.first_byte_ns
        rows["done_ns"] = task.done_ns
        for name, total in (("read_bytes", task.read_bytes), ("decode_ns", task.decode_ns)):
            rows[name] = total // count
            rows[name][0] += total % count
        records[positions] = rows

    def _new_number(self) -> int:
        number = self._next_task
        self._next_task = (number & _NUMBER_MASK) + 1
        return number

    @contextmanager
    def _naming(self, key: str) -> Iterator[None]:
        """Say which file an error is about."""
        try:
            yield
        except (FormatError, DataError) as error:
            where = f"{self._plan.uri.rstrip('/')}/{key}"
            raise type(error)(f"{where}: {error}") from error

    def _arrived(self, completion: Completion) -> Sequence[Read]:
        number = completion.tag & _NUMBER_MASK
        if self._spans is not None:
            if number in self._groups:
                return self._group_arrived(number, completion)
            return self._index_arrived(number, completion)
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
        self._preprocess_or_deliver(number, 1)
        return ()

    def _preprocess_or_deliver(self, number: int, samples: int) -> None:
        """A reader works on one sample after another."""
        if self._preprocess is None:
            self._delivered(number)
        else:
            due = perf_counter_ns() + int(self._preprocess.draw_ns(self._random, samples).sum())
            heapq.heappush(self._preprocessing, (due, number))

    def _delivered(self, number: int) -> None:
        if self._spans is not None:
            self._group_delivered(number)
            return
        task, reader, filling, index = self._tasks.pop(number)
        PACK_RECORD(
            self._slab.view, filling.header + index * RECORD.itemsize,
            task.file, task.sample, index * self._plan.stride, task.length, task.read_bytes, task.submitted_ns,
            task.first_byte_ns, task.done_ns, task.decode_ns, self._layout_number(task.layout),
        )  # fmt: skip
        self._idle(reader)
        self._filled(reader, filling, 1)

    def _idle(self, reader: _Reader) -> None:
        """A reader has one thing less to do."""
        reader.busy -= 1
        if not reader.busy:
            self._slab.status[reader.number] = IDLE

    def _filled(self, reader: _Reader, filling: _Filling, count: int) -> None:
        """So many samples of a batch are in their places."""
        filling.left -= count
        if not filling.left:
            self._send(messages.batch(reader.consumer, filling.step, filling.slot, filling.count))

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


class LimitedQueue:
    """Keeps back reads of which there would be more in flight than the queue takes."""

    def __init__(self, queue: ReadQueue, depth: int) -> None:
        self._queue, self._depth = queue, depth
        self._in_flight = 0
        self._kept_back: deque[Read] = deque()
        self.release, self.report, self.close = queue.release, queue.report, queue.close

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue, but any number."""
        room = self._depth - self._in_flight
        if self._kept_back or len(reads) > room:
            self._kept_back.extend(reads)
            reads = [self._kept_back.popleft() for _ in range(min(room, len(self._kept_back)))]
        self._in_flight += len(reads)
        if reads:
            self._queue.submit(reads)

    @property
    def woken(self) -> bool:
        """See ReadQueue."""
        return self._queue.woken

    def wait(self, timeout_ns: int | None) -> Sequence[Completion]:
        """See ReadQueue."""
        completions = self._queue.wait(timeout_ns)
        self._in_flight -= len(completions)
        if self._kept_back:
            self.submit(())
        return completions


def divided(total: int, count: int) -> list[int]:
    """Equal shares, what is left over in the first."""
    share, rest = divmod(total, count)
    return [share + rest, *[share] * (count - 1)]


def failure_of(error: DlDriverError) -> messages.WorkerFailure:
    """An error as a packet's content."""
    return messages.WorkerFailure(type(error).__name__, str(error))


def error_of(failure: messages.WorkerFailure) -> DlDriverError:
    """The error that a worker met, to be raised in the host process."""
    kind = getattr(errors, failure.kind, errors.RunError)
    error: DlDriverError = kind(failure.message)
    return error
