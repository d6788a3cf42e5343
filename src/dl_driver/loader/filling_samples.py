# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of samples that are read one by one through a reader's buffer: see Delivery.COPY and Delivery.WINDOWS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dl_driver.errors import DataError, FormatError
from dl_driver.loader.delivery import Deliverer, Task
from dl_driver.loader.filling import NUMBER_MASK, TAG_SHIFT, Batches, Filling, Reader
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.slab import PACK_RECORD, RECORD
from dl_driver.storage.base import Completion, Read


@dataclass(slots=True)
class _Begun:
    """A sample in flight."""

    task: Task
    reader: Reader
    filling: Filling
    position: int


class SampleFiller:
    """See Filler."""

    def __init__(
        self, plan: LoaderPlan, batches: Batches, deliverer: Deliverer, release: Callable[[int], None]
    ) -> None:
        """``release`` closes a task's session, see ReadQueue.release."""
        self._plan, self._batches, self._deliverer, self._release = plan, batches, deliverer, release
        self._beginning: dict[int, Filling] = {}
        """Of each reader the batch whose samples are being begun; earlier ones may still have samples in flight."""
        self._begun: dict[int, _Begun] = {}
        self._next_task = 1

    def begin(self, reader: Reader, reads: list[Read]) -> None:
        """See Filler."""
        while reader.busy < self._plan.depth:
            filling = self._beginning.get(reader.number) or self._batches.next(reader)
            if filling is None:
                return
            self._beginning[reader.number] = filling
            reads += self._begin_sample(reader, filling)
            if filling.begun == filling.count:
                del self._beginning[reader.number]

    def _begin_sample(self, reader: Reader, filling: Filling) -> Sequence[Read]:
        position, stride = filling.begun, self._plan.stride
        filling.begun += 1
        file, sample = int(filling.files[position]), int(filling.samples[position])
        number = self._next_task
        self._next_task = (number & NUMBER_MASK) + 1
        place = filling.data[position * stride : (position + 1) * stride]
        task = Task(number, file, sample, self._plan.files.key(file), place)
        self._begun[number] = _Begun(task, reader, filling, position)
        self._batches.busy(reader, file)
        return self._deliverer.begin(task)

    def arrived(self, completions: Sequence[Completion], reads: list[Read]) -> None:
        """See Filler."""
        for completion in completions:
            begun = self._begun[completion.tag & NUMBER_MASK]
            if completion.error is not None:
                raise completion.error
            try:
                further = self._deliverer.complete(begun.task, completion, completion.tag >> TAG_SHIFT)
            except (FormatError, DataError) as error:
                raise self._batches.named(error, begun.task.file) from error
            if further is None:
                self._delivered(begun)
            else:
                reads += further

    def _delivered(self, begun: _Begun) -> None:
        task = begun.task
        del self._begun[task.number]
        self._deliverer.forget(task)
        self._release(task.number)
        PACK_RECORD(
            self._batches.records, begun.filling.header + begun.position * RECORD.itemsize,
            task.file, task.sample, begun.position * self._plan.stride, task.length,
            task.read_bytes, task.submitted_ns, task.first_byte_ns, task.done_ns, task.decode_ns,
            self._batches.layout_number(task.layout),
        )  # fmt: skip
        self._batches.done(begun.reader, begun.filling, 1)

    def revoke(self) -> None:
        """See Filler."""
        self._beginning.clear()

    def report(self) -> tuple[int, int]:
        """See Filler."""
        return 0, 0
