# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of samples that are whole files, read straight into their places: see Delivery.WHOLE.

The hot path of small files, where each sample costs as much as its read: hence a few loops over many samples, and state
in lists in place of objects.
"""

from collections.abc import Sequence
from time import perf_counter_ns, thread_time_ns

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.expectation import Decoder
from dl_driver.loader.delivery import check_room
from dl_driver.loader.filling import Batches, Filling, Reader
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.slab import PACK_RECORD, RECORD
from dl_driver.loader.stages import StageWatch
from dl_driver.storage.base import Completion, Read

_read = tuple.__new__
"""Makes a Read in a third of the time of its own constructor."""
_RECORD_BYTES = RECORD.itemsize


class _Batch:
    """A batch in the making, with what its samples need."""

    __slots__ = ("begun", "files", "filling", "places", "reader", "samples")

    def __init__(self, reader: Reader, filling: Filling) -> None:
        self.reader, self.filling = reader, filling
        self.files: list[int] = filling.files.tolist()
        self.samples: list[int] = filling.samples.tolist()
        self.begun = 0


class WholeFiller:
    """See Filler. What is in flight has a place number, which is the tag of its read."""

    def __init__(self, plan: LoaderPlan, batches: Batches, decoder: Decoder, watch: StageWatch) -> None:
        self._plan, self._batches, self._decode, self._watch = plan, batches, decoder.decode, watch
        self._beginning: dict[int, _Batch] = {}
        """Of each reader the batch whose samples are being begun; earlier ones may still have samples in flight."""
        self._free: list[int] = []
        # Of each place number what is in flight there:
        self._batch_of: list[_Batch] = []
        self._position_of: list[int] = []
        self._into: list[memoryview] = []

    def begin(self, reader: Reader, reads: list[Read]) -> None:
        """See Filler."""
        while (room := self._plan.depth - reader.busy) > 0:
            batch = self._beginning.get(reader.number)
            if batch is None:
                filling = self._batches.next(reader)
                if filling is None:
                    return
                batch = self._beginning[reader.number] = _Batch(reader, filling)
            self._begin_samples(batch, min(room, batch.filling.count - batch.begun), reads)
            if batch.begun == batch.filling.count:
                del self._beginning[reader.number]

    def _begin_samples(self, batch: _Batch, count: int, reads: list[Read]) -> None:
        stride, length, key_of = self._plan.stride, self._plan.file_bytes, self._plan.files.key
        data, address, free = batch.filling.data, batch.filling.address, self._free
        first = batch.begun
        batch.begun += count
        while len(free) < count:
            self._add_place(batch)
        for position in range(first, first + count):
            place = free.pop()
            start = position * stride
            into = data[start : start + stride]
            self._batch_of[place], self._position_of[place], self._into[place] = batch, position, into
            reads.append(_read(Read, (key_of(batch.files[position]), 0, length, into, place, 0, address + start)))
        self._batches.busy(batch.reader, batch.files[first + count - 1], count)

    def _add_place(self, batch: _Batch) -> None:
        self._free.append(len(self._batch_of))
        self._batch_of.append(batch)
        self._position_of.append(0)
        self._into.append(batch.filling.data)

    def arrived(self, completions: Sequence[Completion], reads: list[Read]) -> None:
        """See Filler."""
        batches, decode, room, stride = self._batches, self._decode, self._plan.file_bytes, self._plan.stride
        total_ns, sampled = 0, bool(completions) and self._watch.sample_is_due()
        for place, length, submitted_ns, first_byte_ns, done_ns, error in completions:
            batch, position = self._batch_of[place], self._position_of[place]
            if error is not None:
                raise error
            cpu_ns = thread_time_ns() if sampled else 0
            started = perf_counter_ns()
            try:
                check_room(length, room)
                layout = decode(self._into[place][:length])
            except (FormatError, DataError) as wrong:
                raise batches.named(wrong, batch.files[position]) from wrong
            decode_ns = perf_counter_ns() - started
            if sampled:
                self._watch.sample(decode_ns, thread_time_ns() - cpu_ns)
                sampled = self._watch.sample_is_due()
            total_ns += decode_ns
            self._free.append(place)
            PACK_RECORD(
                batches.records, batch.filling.header + position * _RECORD_BYTES, batch.files[position],
                batch.samples[position], position * stride, length, length, submitted_ns,
                -1 if first_byte_ns is None else first_byte_ns, done_ns, decode_ns, batches.layout_number(layout),
            )  # fmt: skip
            batches.done(batch.reader, batch.filling, 1)
        self._watch.decode_ns += total_ns

    def revoke(self) -> None:
        """See Filler."""
        self._beginning.clear()

    def report(self) -> tuple[int, int]:
        """See Filler."""
        return 0, 0
