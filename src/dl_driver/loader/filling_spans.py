# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of samples that are found through their files' indexes, and read in runs: see Delivery.SPANS and UNPACK."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter_ns

import numpy as np

from dl_driver.dataset.order import LARGE_UNIT
from dl_driver.formats.base import Format
from dl_driver.formats.spans import FileIndex, PlacedRows
from dl_driver.loader.filling import NUMBER_MASK, TAG_SHIFT, Batches, Filling, Reader, divided
from dl_driver.loader.parts import Part, parts_of, parts_of_runs
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.slab import PACK_RECORD, RECORD, RUN, records_of
from dl_driver.loader.spans import BatchRoom, GroupTask, IndexTask, Located, SpanDelivery
from dl_driver.storage.base import Completion, Read


@dataclass(slots=True)
class _Batch:
    """A batch in the making."""

    filling: Filling
    room: BatchRoom
    parts: list[Part]
    """What is left to begin, the next one last."""


@dataclass(slots=True)
class _Reader:
    """What a reader has to do."""

    reader: Reader
    beginning: _Batch | None = None
    """The batch whose samples are being begun; earlier ones may still have samples in flight."""
    located: deque[tuple[_Batch, Located]] = field(default_factory=deque)
    """Groups to begin, before anything else."""


class SpanFiller:
    """See Filler."""

    def __init__(
        self,
        plan: LoaderPlan,
        batches: Batches,
        file_format: Format,
        spans: SpanDelivery,
        release: Callable[[int], None],
    ) -> None:
        """``release`` closes a task's session, see ReadQueue.release."""
        self._plan, self._batches, self._format, self._release = plan, batches, file_format, release
        self._in_runs = file_format.shuffle_unit(plan.samples_per_file) >= LARGE_UNIT
        self._spans = spans
        self._readers: dict[int, _Reader] = {}
        self._groups: dict[int, tuple[GroupTask, Reader, Filling]] = {}
        self._indexing: dict[int, tuple[IndexTask, Reader]] = {}
        self._index_of: dict[int, IndexTask] = {}
        """Indexes in the making by file."""
        self._next_task = 1

    def begin(self, reader: Reader, reads: list[Read]) -> None:
        """See Filler."""
        state = self._readers.setdefault(reader.number, _Reader(reader))
        while reader.busy < self._plan.depth:
            if state.located:
                reads += self._begin_group(reader, *state.located.popleft())
                continue
            batch = state.beginning or self._next_batch(reader)
            if batch is None:
                return
            part = batch.parts.pop()
            state.beginning = batch if batch.parts else None
            reads += self._begin_part(state, batch, part)

    def arrived(self, completions: Sequence[Completion], reads: list[Read]) -> None:
        """See Filler."""
        for completion in completions:
            number = completion.tag & NUMBER_MASK
            if number in self._groups:
                self._group_arrived(number, completion)
            else:
                reads += self._index_arrived(number, completion)

    def revoke(self) -> None:
        """See Filler."""
        self._readers.clear()
        for task in self._index_of.values():
            task.waiting.clear()

    def report(self) -> tuple[int, int]:
        """See Filler."""
        return self._spans.indexes, self._spans.index_ns

    def _next_batch(self, reader: Reader) -> _Batch | None:
        filling = self._batches.next(reader, self._in_runs)
        if filling is None:
            return None
        parts = parts_of_runs(filling.chosen) if self._in_runs else parts_of(filling.files, filling.samples)
        return _Batch(filling, BatchRoom(filling.data), parts[::-1])

    def _begin_part(self, state: _Reader, batch: _Batch, part: Part) -> Sequence[Read]:
        """Locate the samples of one file of a batch; its index may have to be read first."""
        index = self._spans.cache.get(part.file)
        if index is None and self._format.indexed_by_size:
            with self._batches.naming(part.file):
                index = self._spans.index_of(part.file)
        if index is not None:
            self._locate(state, batch, part, index)
            return ()
        go_on = partial(self._locate, state, batch, part)
        if part.file in self._index_of:
            self._index_of[part.file].waiting.append(go_on)
            return ()
        number, key = self._new_number(), self._plan.files.key(part.file)
        task = IndexTask(number, part.file, key, self._format.index(key, self._plan.samples_per_file), [go_on])
        with self._batches.naming(part.file):
            reads = self._spans.begin_index(task)
        if reads is None:
            self._indexed(task)
            return ()
        self._indexing[number] = (task, state.reader)
        self._index_of[part.file] = task
        self._batches.busy(state.reader, part.file)
        return reads

    def _locate(self, state: _Reader, batch: _Batch, part: Part, index: FileIndex) -> None:
        with self._batches.naming(part.file):
            state.located.extend((batch, located) for located in self._spans.locate(index, part))

    def _begin_group(self, reader: Reader, batch: _Batch, located: Located) -> Sequence[Read]:
        with self._batches.naming(located.file):
            task, reads = self._spans.begin(self._new_number(), located, batch.room)
            if not reads:
                self._spans.finish(task, perf_counter_ns())
        self._batches.busy(reader, located.file)
        if reads:
            self._groups[task.number] = (task, reader, batch.filling)
        else:
            self._delivered(task, reader, batch.filling)
        return reads

    def _index_arrived(self, number: int, completion: Completion) -> Sequence[Read]:
        task, reader = self._indexing[number]
        with self._batches.naming(task.file):
            reads = self._spans.index_arrived(task, completion, completion.tag >> TAG_SHIFT)
        if reads is not None:
            return reads
        del self._indexing[number]
        del self._index_of[task.file]
        self._batches.idle(reader)
        self._indexed(task)
        return ()

    def _indexed(self, task: IndexTask) -> None:
        """An index is there: go on with the batches that waited for it."""
        index = self._spans.cache.get(task.file)
        assert index is not None
        for go_on in task.waiting:
            go_on(index)

    def _group_arrived(self, number: int, completion: Completion) -> None:
        task, reader, filling = self._groups[number]
        if completion.error is not None:
            raise completion.error
        with self._batches.naming(task.located.file):
            if not self._spans.complete(task, completion, completion.tag >> TAG_SHIFT):
                return
        del self._groups[number]
        if task.session:
            self._release(task.session)
        self._delivered(task, reader, filling)

    def _delivered(self, task: GroupTask, reader: Reader, filling: Filling) -> None:
        self._spans.forget(task)
        self._record(task, filling)
        self._batches.done(reader, filling, len(task.placed))

    def _record(self, task: GroupTask, filling: Filling) -> None:
        if isinstance(task.placed, PlacedRows):
            self._record_rows(task, task.placed, filling)
            return
        located, count = task.located, len(task.placed)
        shares = [divided(total, count) for total in (task.read_bytes, task.decode_ns)]
        for position, sample, placed, read_bytes, decode_ns in zip(
            located.positions, located.group.samples, task.placed, *shares, strict=True
        ):
            PACK_RECORD(
                self._batches.records, filling.header + position * RECORD.itemsize,
                located.file, sample, placed.start, placed.length, read_bytes, task.submitted_ns,
                task.first_byte_ns, task.done_ns, decode_ns, self._batches.layout_number(placed.layout),
            )  # fmt: skip

    def _record_rows(self, task: GroupTask, placed: PlacedRows, filling: Filling) -> None:
        """Samples that are alike: one run where they follow one another, else the records of one, spread."""
        located, count = task.located, len(placed)
        positions, samples = located.positions, located.group.samples
        in_order = isinstance(positions, range) and isinstance(samples, range)
        run = (
            located.file, samples[0], placed.start, placed.length, task.read_bytes, task.submitted_ns,
            task.first_byte_ns, task.done_ns, task.decode_ns, self._batches.layout_number(placed.layout),
            positions[0] if in_order else 0, count, placed.stride,
        )  # fmt: skip
        if in_order:
            filling.runs.append(run)
            return
        rows = records_of(np.array([run], RUN))
        rows["sample"] = samples
        np.frombuffer(self._batches.records, RECORD, filling.count, filling.header)[positions] = rows

    def _new_number(self) -> int:
        number = self._next_task
        self._next_task = (number & NUMBER_MASK) + 1
        return number
