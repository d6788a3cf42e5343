# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delivery of formats that are read through an index: a worker finds out where samples lie, once a file, and reads
runs of them, straight into the batch or through a buffer.

Nothing here waits: an index is a generator that asks for bytes (formats.spans.Need), driven by the completions of its
reads like everything else in a worker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np

from dl_driver.errors import FormatError, NotFoundError
from dl_driver.formats.base import ArraySpec, Format, Indexing, Reading, view
from dl_driver.formats.spans import (
    WHOLE,
    FileIndex,
    Group,
    Landed,
    Need,
    Placed,
    PlacedRows,
    ShapedSpans,
    SpanShape,
    check_samples,
    short,
    too_large,
)
from dl_driver.loader.buffers import buffer_of
from dl_driver.loader.delivery import check_room, crop_shape
from dl_driver.loader.filling import TAG_SHIFT
from dl_driver.loader.index_cache import IndexCache
from dl_driver.loader.landing import Landing, landing_of
from dl_driver.loader.parts import Part
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.sizing import LINE, landing_bytes
from dl_driver.loader.slab import round_up
from dl_driver.loader.stages import StageWatch
from dl_driver.storage.base import Completion, Read

_MAX_LANDINGS = 64


@dataclass(slots=True)
class BatchRoom:
    """The memory of a batch in the making."""

    data: memoryview
    used: int = 0

    def take(self, size: int) -> memoryview:
        """The next so many bytes, after rounding up to a line. Raises DataError where they are not there."""
        if self.used + size > len(self.data):
            raise too_large(size, len(self.data) - self.used)
        start, self.used = self.used, self.used + round_up(size, LINE)
        return self.data[start : start + size]


@dataclass(frozen=True, slots=True)
class Located:
    """What is to be read for a group of samples of a batch."""

    index: FileIndex
    file: int
    group: Group
    positions: Sequence[int]
    """Of each of the group's samples in the batch."""


@dataclass(slots=True)
class GroupTask:
    """A group of samples on its way."""

    number: int
    """Unique in the worker; the tag of its reads, shifted by the span's number."""
    key: str
    located: Located
    room: BatchRoom
    landed: Landed
    start: int
    """Where ``landed.data`` begins in the batch, for SPANS."""
    buffer: memoryview | None
    left: int
    """Reads in flight."""
    arrived: list[int]
    """Length of what each span's read brought."""
    session: int = 0
    """Of its reads; 0: none, see Read."""
    landing: Landing | None = None
    """Of spans that are read as one."""
    submitted_ns: int = 0
    first_byte_ns: int = -1
    done_ns: int = 0
    decode_ns: int = 0
    read_bytes: int = 0
    placed: Sequence[Placed] = ()


@dataclass(slots=True)
class IndexTask:
    """An index in the making."""

    number: int
    file: int
    key: str
    steps: Indexing
    waiting: list[Callable[[FileIndex], None]] = field(default_factory=list)
    """What to do when it is there."""
    needs: Sequence[Need] = ()
    answers: list[memoryview | None] = field(default_factory=list)
    skips: list[int] = field(default_factory=list)
    """Bytes read before each need, because the storage reads whole blocks."""
    left: int = 0
    begun_ns: int = 0


def _located_run(index: FileIndex, part: Part, group: Group) -> Located:
    """Part of a run of samples that stand one after another in the batch."""
    first = part.positions[0] + group.samples[0] - part.samples[0]
    return Located(index, part.file, group, range(first, first + len(group.samples)))


class SpanDelivery:
    """See Delivery.SPANS and Delivery.UNPACK."""

    def __init__(
        self,
        plan: LoaderPlan,
        file_format: Format,
        size_of: Callable[[str], int],
        watch: StageWatch,
        spreads: bool = False,
    ) -> None:
        """``size_of`` tells an object's bytes; it is asked for those alone that are read from their end. ``spreads``:
        whether several spans may be one read (ReadQueue.spreads)."""
        self._plan, self._format, self._size_of, self._watch = plan, file_format, size_of, watch
        self._in_place = plan.delivery is Delivery.SPANS
        self._are_views = file_format.reading(plan.samples_per_file) is not Reading.UNPACKED
        self._spare: list[memoryview] = []
        """Buffers between tasks; as many as tasks were once in flight, since new memory costs as much as a read."""
        self._spare_bytes = landing_bytes(max(plan.run_bytes, plan.sample_bytes), 4, plan.alignment)
        self._scratch = memoryview(b"")
        self._spreads = spreads
        self._landings: dict[tuple[SpanShape, int], Landing] = {}
        self.cache = IndexCache()
        self.indexes = self.index_ns = 0
        """Indexes made so far, and the time from their first read until they were there."""

    # Indexes

    def index_of(self, file: int) -> FileIndex:
        """The index of a file whose size tells all. Raises FormatError without the file's name."""
        size = self._plan.files.size(file)
        if size is None:
            size = self._size_of(self._plan.files.key(file))
        index = self._format.index_of(size, self._plan.samples_per_file)
        self.cache.put(file, index)
        return index

    def begin_index(self, task: IndexTask) -> Sequence[Read] | None:
        """The first reads of an index; None where it needs none and is there."""
        task.begun_ns = perf_counter_ns()
        return self._next_needs(task, None)

    def index_arrived(self, task: IndexTask, completion: Completion, number: int) -> Sequence[Read] | None:
        """Take one read's bytes: None when the index is there, else its further reads (perhaps none yet)."""
        need = task.needs[number]
        if completion.error is not None:
            if not (need.optional and isinstance(completion.error, NotFoundError)):
                raise completion.error
            task.answers[number] = None
        else:
            answer = task.answers[number]
            assert answer is not None
            skip = task.skips[number]
            task.answers[number] = answer[skip : min(completion.length, skip + need.length)]
        task.left -= 1
        return () if task.left else self._next_needs(task, task.answers)

    def _next_needs(self, task: IndexTask, answers: Sequence[memoryview | None] | None) -> Sequence[Read] | None:
        try:
            task.needs = next(task.steps) if answers is None else task.steps.send(answers)
        except StopIteration as done:
            self.cache.put(task.file, done.value)
            self.indexes += 1
            self.index_ns += perf_counter_ns() - task.begun_ns
            return None
        task.answers, task.skips = [], []
        task.left = len(task.needs)
        return [self._read_for(task, number, need) for number, need in enumerate(task.needs)]

    def _read_for(self, task: IndexTask, number: int, need: Need) -> Read:
        offset = need.offset if need.offset >= 0 else max(0, self._size_of(need.key) + need.offset)
        first = offset - offset % self._plan.alignment
        skip = offset - first
        length = round_up(skip + max(1, need.length), self._plan.alignment)
        into = buffer_of(length)
        task.answers.append(into)
        task.skips.append(skip)
        return Read(need.key, first, length, into, number << TAG_SHIFT | task.number)

    # Groups

    def locate(self, index: FileIndex, part: Part) -> Sequence[Located]:
        """What to read for a part of a batch."""
        check_samples(index, part.samples)
        groups = self._format.locate(index, part.samples, self._plan.run_bytes)
        if len(groups) == 1 and len(groups[0].samples) == len(part.samples):
            return (Located(index, part.file, groups[0], part.positions),)
        if isinstance(part.samples, range) and isinstance(part.positions, range):
            return [_located_run(index, part, group) for group in groups]
        position_of = dict(zip(part.samples, part.positions, strict=True))
        return [Located(index, part.file, group, [position_of[sample] for sample in group.samples]) for group in groups]

    def begin(self, number: int, located: Located, room: BatchRoom) -> tuple[GroupTask, Sequence[Read]]:
        """A group's task and its reads."""
        group, key = located.group, self._plan.files.key(located.file)
        if self._spreads and isinstance(group.spans, ShapedSpans):
            return self._begin_spread(number, located, room, group.spans)
        spans = [self._widened(*span) for span in group.spans]
        unit = max(LINE, self._plan.alignment)
        start, data, buffer = self._memory(room, sum(round_up(length, unit) for _, length, _ in spans))
        reads, starts, at = [], [], 0
        session = number if len(spans) > 1 else 0
        for place, (offset, length, skip) in enumerate(spans):
            tag = place << TAG_SHIFT | number
            reads.append(Read(key, offset, length, data[at : at + length], tag, session))
            starts.append(at + skip)
            at += round_up(length, unit)
        landed = Landed(data, starts, [span.length for span in group.spans])
        task = GroupTask(number, key, located, room, landed, start, buffer, len(reads), [0] * len(reads), session)
        return task, reads

    def _begin_spread(
        self, number: int, located: Located, room: BatchRoom, spans: ShapedSpans
    ) -> tuple[GroupTask, Sequence[Read]]:
        """The same with one read for all spans."""
        key, skip = self._plan.files.key(located.file), spans.base % self._plan.alignment
        landing = self._landings.get((spans.shape, skip))
        if landing is None:
            if len(self._landings) >= _MAX_LANDINGS:
                self._landings.clear()
            landing = self._landings[spans.shape, skip] = landing_of(spans.shape, skip, self._plan.alignment)
        start, data, buffer = self._memory(room, landing.room)
        landed = Landed(data, landing.starts, landing.lengths)
        task = GroupTask(number, key, located, room, landed, start, buffer, 1, [0], number, landing)
        return task, (Read(key, spans.base - skip, landing.length, data, number, number, 0, landing.spread),)

    def _memory(self, room: BatchRoom, size: int) -> tuple[int, memoryview, memoryview | None]:
        """Where a group's bytes land: the place within the batch, or a buffer."""
        if not self._in_place:
            buffer = self._buffer(size)
            return 0, buffer, buffer
        room.used = start = round_up(room.used, max(LINE, self._plan.alignment))
        return start, room.take(size), None

    def complete(self, task: GroupTask, completion: Completion, place: int) -> bool:
        """Take one read's bytes; True when the group is delivered. Raises FormatError or DataError without the
        file's name."""
        task.arrived[place] = completion.length
        task.submitted_ns = task.submitted_ns or completion.submitted_ns
        if completion.first_byte_ns is not None and task.first_byte_ns < 0:
            task.first_byte_ns = completion.first_byte_ns
        task.left -= 1
        if task.left:
            return False
        self.finish(task, completion.done_ns)
        return True

    def finish(self, task: GroupTask, done_ns: int) -> None:
        """All bytes of a group are there: decode them. Raises FormatError or DataError without the file's name. A group
        without reads has no time of submission."""
        task.done_ns = done_ns
        self._check_lengths(task)
        task.placed, task.decode_ns = self._place(task)

    def forget(self, task: GroupTask) -> None:
        """The task is over: its buffer may be used by another."""
        buffer, task.buffer = task.buffer, None
        if buffer is not None and len(buffer) == self._spare_bytes:
            self._spare.append(buffer)

    def _widened(self, offset: int, length: int) -> tuple[int, int, int]:
        """A span as the storage reads it, and how many bytes come before what is wanted."""
        if length == WHOLE:
            return 0, self._plan.file_bytes, 0
        alignment = self._plan.alignment
        skip = offset % alignment
        return offset - skip, round_up(skip + length, alignment), skip

    def _buffer(self, size: int) -> memoryview:
        if size > self._spare_bytes:
            return buffer_of(size)
        return self._spare.pop() if self._spare else buffer_of(self._spare_bytes)

    def _check_lengths(self, task: GroupTask) -> None:
        landed, landing = task.landed, task.landing
        if landing is not None:
            self._check_spread(task, landing)
            return
        for place, (offset, length) in enumerate(task.located.group.spans):
            got = task.arrived[place]
            if length == WHOLE:
                check_room(got, self._plan.file_bytes)
                task.landed = Landed(landed.data, landed.starts, [got])
                task.read_bytes += got
                continue
            first = offset - offset % self._plan.alignment
            if first + got < offset + length:
                raise short(offset + length, first + got)
            task.read_bytes += length

    def _check_spread(self, task: GroupTask, landing: Landing) -> None:
        spans = task.located.group.spans
        task.read_bytes = sum(landing.lengths)
        if task.arrived[0] < landing.length:
            first, end = spans[0].offset - landing.first, sum(spans[-1])
            if task.arrived[0] < landing.least(end - first):
                raise FormatError(f"the file ends before byte {end}, to which samples in its index reach")

    def _decode(self, task: GroupTask, into: memoryview) -> tuple[Sequence[Placed], int]:
        """See Format.decode_group; and how long it took."""
        located = task.located
        return self._watch.decoding(self._format.decode_group, located.index, located.group, task.landed, into)

    def _place(self, task: GroupTask) -> tuple[Sequence[Placed], int]:
        """Samples with their place in the batch, and how long decoding them took."""
        landed, room = task.landed, task.room
        if self._in_place:
            placed, decode_ns = self._decode(task, landed.data)
            if isinstance(placed, PlacedRows):
                return placed.moved(task.start), decode_ns
            return [Placed(task.start + start, length, layout) for start, length, layout in placed], decode_ns
        if self._plan.crop_bytes:
            return self._cropped(task)
        start = room.used
        placed, decode_ns = self._decode(task, room.data[start:])
        if isinstance(placed, PlacedRows):
            room.used = start + round_up(placed.end, LINE)
            return placed.moved(start), decode_ns
        if placed:
            room.used = start + round_up(max(sample.start + sample.length for sample in placed), LINE)
        return [Placed(start + sample.start, sample.length, sample.layout) for sample in placed], decode_ns

    def _cropped(self, task: GroupTask) -> tuple[Sequence[Placed], int]:
        """The first bytes of each sample's first array, copied."""
        source = task.landed.data if self._are_views else self._scratch_for(len(task.located.group.samples))
        placed, decode_ns = self._decode(task, source)
        decoded_ns, cropped = perf_counter_ns(), []
        for start, length, layout in placed:
            flat = np.ascontiguousarray(view(source[start : start + length], layout[0])).reshape(-1).view(np.uint8)
            count = min(self._plan.crop_bytes, flat.size)
            at = task.room.used
            np.copyto(np.frombuffer(task.room.take(count), np.uint8), flat[:count])
            cropped.append(Placed(at, count, (ArraySpec(layout[0].name, "|u1", crop_shape(count), 0),)))
        self._watch.copy_ns += perf_counter_ns() - decoded_ns
        return cropped, decode_ns

    def _scratch_for(self, samples: int) -> memoryview:
        size = samples * round_up(self._plan.sample_bytes, LINE)
        if len(self._scratch) < size:
            self._scratch = buffer_of(size)
        return self._scratch
