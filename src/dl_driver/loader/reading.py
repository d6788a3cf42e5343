# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's loop: its readers' reads over one queue, and the host's packets. How batches are filled: filling.py."""

from collections.abc import Callable
from time import perf_counter_ns

from dl_driver.dataset.order import EpochOrder
from dl_driver.formats import get_format
from dl_driver.formats.base import Format
from dl_driver.formats.expectation import expecting
from dl_driver.loader import messages
from dl_driver.loader.delivery import make_deliverer
from dl_driver.loader.filling import Batches, Filler, Reader
from dl_driver.loader.filling_samples import SampleFiller
from dl_driver.loader.filling_spans import SpanFiller
from dl_driver.loader.filling_whole import WholeFiller
from dl_driver.loader.limited_queue import LimitedQueue
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.slab import Slab
from dl_driver.loader.spans import SpanDelivery
from dl_driver.loader.stages import StageWatch
from dl_driver.storage import open_storage
from dl_driver.storage.base import Read, Storage
from dl_driver.storage.long_reads import LONGEST, LongReads

_LEAST_DEPTH = 32
"""Of the queue where a format asks for many spans at once."""


class ReaderLoop:
    """Runs the readers of one worker. ``send`` takes packets for the host (messages.py)."""

    def __init__(
        self, plan: LoaderPlan, slab: Slab, worker: int, send: Callable[[bytes], None], watch: int | None = None
    ) -> None:
        self._plan, self._send = plan, send
        self._readers = {
            number: Reader(number, number // plan.readers, plan.first_rank + number // plan.readers)
            for number in plan.readers_of(worker)
        }
        self._batches = Batches(plan, slab, worker, send)
        self._format = get_format(plan.format, plan.options)
        storage = open_storage(plan.uri, plan.settings)
        tasks = max(1, len(self._readers) * plan.depth)
        depth = _queue_depth(plan, self._format, tasks)
        lands_in_slab = plan.delivery in (Delivery.WHOLE, Delivery.SPANS)
        queue = storage.open_reader(depth, watch, slab.view if lands_in_slab else None)
        if max(plan.file_bytes, plan.sample_bytes, plan.run_bytes) > LONGEST:
            queue = LongReads(queue)
        self._queue = LimitedQueue(queue, depth)
        self._watch = StageWatch()
        self._filler = self._make_filler(storage, tasks)
        self._draining = False

    def _make_filler(self, storage: Storage, tasks: int) -> Filler:
        plan, batches, watch = self._plan, self._batches, self._watch
        if plan.expected is not None:
            self._format.expect(plan.expected)
        if plan.delivery in (Delivery.SPANS, Delivery.UNPACK):
            spans = SpanDelivery(plan, self._format, lambda key: storage.stat(key).size, watch, self._queue.spreads)
            return SpanFiller(plan, batches, self._format, spans, self._queue.release)
        decoder = expecting(self._format, plan.expected)
        if plan.delivery is Delivery.WHOLE:
            return WholeFiller(plan, batches, decoder, watch)
        return SampleFiller(plan, batches, make_deliverer(plan, decoder, tasks, watch), self._queue.release)

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
            self._batches.order = None
            self._revoke()
        elif letter == messages.ASK:
            self._send(messages.pickled(messages.REPORT, self._report()))

    def turn(self, timeout_ns: int | None = None) -> bool:
        """Begin what can be begun, then wait for reads, the host or a timer, and finish what can be finished. True when
        the host said something."""
        queue, batches = self._queue, self._batches
        queue.submit(self._begin())
        begun = perf_counter_ns()
        completions = queue.wait(batches.timeout_ns(timeout_ns))
        self._waited(perf_counter_ns() - begun, bool(completions) or queue.in_flight > 0)
        further: list[Read] = []
        self._filler.arrived(completions, further)
        if further:
            queue.submit(further)
        batches.finish_preprocessing()
        return queue.woken

    def _begin(self) -> list[Read]:
        reads: list[Read] = []
        self._batches.without_place = 0
        if not self._draining:
            for reader in self._readers.values():
                self._filler.begin(reader, reads)
        elif not any(reader.busy for reader in self._readers.values()):
            self._draining = False
            self._send(messages.DRAINED)
        return reads

    def _waited(self, wait_ns: int, reading: bool) -> None:
        """The queue was waited for, before what came is taken in."""
        preprocessing, without_place = self._batches.preprocessing, self._batches.without_place
        if preprocessing or without_place:
            busy = sum([reader.busy for reader in self._readers.values()])
            self._watch.waited(wait_ns, busy - preprocessing, preprocessing, without_place)
        elif reading:
            self._watch.read_ns += wait_ns
        else:
            self._watch.idle_ns += wait_ns

    def close(self) -> None:
        """Wait for what is in flight and give back descriptors."""
        self._queue.close()

    def _start(self, order: object) -> None:
        assert isinstance(order, EpochOrder)
        self._batches.order = order
        for reader in self._readers.values():
            reader.step = reader.number % self._plan.readers
        self._revoke()

    def _revoke(self) -> None:
        for reader in self._readers.values():
            reader.granted.clear()
        self._filler.revoke()

    def _report(self) -> messages.WorkerReport:
        decoding = dict(self._format.report())
        return messages.WorkerReport(self._queue.report(), self._watch.totals(), decoding, *self._filler.report())


def _queue_depth(plan: LoaderPlan, file_format: Format, tasks: int) -> int:
    """Reads in flight at most, of so many tasks."""
    if plan.delivery is Delivery.WINDOWS:
        return tasks * 2
    if plan.delivery in (Delivery.SPANS, Delivery.UNPACK):
        return max(_LEAST_DEPTH, tasks * file_format.spans_per_sample())
    return tasks
