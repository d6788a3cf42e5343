# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's side of the workers: which batches are ready, and which places are free.

A consumer's slots are lent to its readers one batch at a time; a batch that was taken holds its slot until released.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import DlDriverError, WorkerError
from dl_driver.formats.base import Layout
from dl_driver.loader import messages
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.reading import ReaderLoop
from dl_driver.loader.slab import IDLE, Slab, records_of
from dl_driver.loader.worker import WorkerPayload
from dl_driver.metrics.clock import Waiter
from dl_driver.metrics.stages import StageTotals, total_of
from dl_driver.processes import WorkerProcess, describe_exit, explain_exit


@dataclass(frozen=True, slots=True)
class ReadyBatch:
    """A batch in a slot."""

    consumer: int
    step: int
    slot: int
    count: int
    worker: int
    ready_ns: int
    """When the host heard of it."""
    runs: int = 0
    """So many runs stand in the slot's header, in place of a record a sample; 0: records."""


class Link(Protocol):
    """The way to one worker."""

    descriptor: int | None
    """Readable when the worker has something to say."""

    def send(self, packet: bytes) -> None:
        """Raises WorkerError when the worker is gone."""
        ...

    def receive(self, timeout_ns: int | None) -> Sequence[bytes]:
        """What the worker said; may wait so long for it. Raises WorkerError when the worker is gone."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


class ProcessLink:
    """A worker process."""

    def __init__(self, plan: LoaderPlan, slab: Slab, worker: int, reading: Callable[[int], str]) -> None:
        self._worker, self._reading = worker, reading
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self.descriptor: int | None = ours.fileno()
        with theirs:
            payload = WorkerPayload(plan, worker, theirs.fileno(), slab.descriptor)
            inherit = (theirs.fileno(), slab.descriptor)
            self.process = WorkerProcess("dl_driver.loader.worker:main", payload, inherit=inherit)

    def send(self, packet: bytes) -> None:
        """See Link."""
        try:
            self._socket.sendall(packet)
        except OSError:
            # Its last words, an error perhaps, can still be received.
            return

    def receive(self, timeout_ns: int | None) -> Sequence[bytes]:
        """See Link; never waits, since the descriptor tells when there is something."""
        packets: list[bytes] = []
        while True:
            try:
                packet = self._socket.recv(messages.MAX_PACKET, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return packets
            except ConnectionResetError:
                packet = b""
            if not packet:
                if packets:
                    return packets
                raise WorkerError(self._epitaph())
            packets.append(packet)

    def close(self) -> None:
        """See Link."""
        self._socket.close()
        self.process.close()

    def _epitaph(self) -> str:
        status = self.process.wait(5.0)
        reading = self._reading(self._worker)
        return f"reader process {self.process.pid} {describe_exit(status)}{reading}{explain_exit(status)}"


class InlineLink:
    """A worker in the host process itself, for storages that no other process can reach."""

    descriptor: int | None = None

    def __init__(self, plan: LoaderPlan, slab: Slab) -> None:
        self._said: list[bytes] = []
        self._loop = ReaderLoop(plan, slab, 0, self._said.append)

    def send(self, packet: bytes) -> None:
        """See Link."""
        self._loop.handle(packet)

    def receive(self, timeout_ns: int | None) -> Sequence[bytes]:
        """See Link: lets the worker work, without waiting, since reads of this process's memory never take long."""
        try:
            self._loop.turn(0)
        except DlDriverError as error:
            self._said.append(messages.pickled(messages.ERROR, messages.failure_of(error)))
        said = list(self._said)
        self._said.clear()
        return said

    def close(self) -> None:
        """See Link."""
        self._loop.close()


@dataclass(slots=True)
class _Consumer:
    """One consumer's slots and batches."""

    free: deque[int]
    owed: deque[int] = field(default_factory=deque)
    """Readers that may fill a batch as soon as a slot is free."""
    ready: dict[int, ReadyBatch] = field(default_factory=dict)


class WorkerPool:
    """The workers of one host process. Not to be shared between threads."""

    def __init__(self, plan: LoaderPlan) -> None:
        self.plan = plan
        self.slab = Slab(plan)
        self._consumers = [
            _Consumer(deque(range(consumer * plan.slots, (consumer + 1) * plan.slots)))
            for consumer in range(plan.consumers)
        ]
        self._layouts: list[dict[int, Layout]] = [{} for _ in range(plan.workers)]
        self._links: list[Link] = []
        self._taken: set[int] = set()
        self._drained = 0
        self._reports: list[messages.WorkerReport] = []
        self._closed = False
        try:
            for worker in range(plan.workers):
                self._links.append(self._make_link(worker))
        except BaseException:
            self.close()
            raise
        self._by_descriptor = {link.descriptor: index for index, link in enumerate(self._links)}
        self._waiter = Waiter([link.descriptor for link in self._links if link.descriptor is not None])

    def _make_link(self, worker: int) -> Link:
        if self.plan.workers == 1 and self.inline:
            return InlineLink(self.plan, self.slab)
        return ProcessLink(self.plan, self.slab, worker, self._reading)

    @property
    def inline(self) -> bool:
        """Whether the reading is done in this process."""
        return self.plan.uri.startswith("memory://")

    @property
    def pids(self) -> list[int]:
        """The worker processes."""
        return [link.process.pid for link in self._links if isinstance(link, ProcessLink)]

    def start(self, order: EpochOrder) -> None:
        """Begin an epoch; the one before must be over or stopped."""
        packet = messages.start(order)
        for link in self._links:
            link.send(packet)
        grants: list[tuple[int, int]] = []
        for number, consumer in enumerate(self._consumers):
            # Readers were granted more places than the last epoch had batches; those are free again.
            mine = range(number * self.plan.slots, (number + 1) * self.plan.slots)
            consumer.free = deque(slot for slot in mine if slot not in self._taken)
            consumer.owed.clear()
            for _ in range(self.plan.batches_ahead):
                consumer.owed.extend(range(number * self.plan.readers, (number + 1) * self.plan.readers))
            grants += self._grants(consumer)
        self._send_grants(grants)

    def stop(self) -> None:
        """Abandon the epoch: on return no read is in flight and no batch is ready."""
        self._drained = 0
        for link in self._links:
            link.send(messages.DRAIN)
        while self._drained < len(self._links):
            self.pump(None)
        for consumer in self._consumers:
            consumer.ready.clear()

    def ready(self, consumer: int) -> dict[int, ReadyBatch]:
        """A consumer's batches by step, in the order in which they became ready."""
        return self._consumers[consumer].ready

    def take(self, consumer: int, step: int) -> ReadyBatch:
        """Take a batch that is ready. Its reader may go on at once where a slot is free."""
        batch = self._consumers[consumer].ready.pop(step)
        self._taken.add(batch.slot)
        return batch

    def took(self, batches: Sequence[ReadyBatch], released: Sequence[ReadyBatch]) -> None:
        """Let the readers of batches that were taken go on, and use the slots of others again."""
        for batch in released:
            self._taken.discard(batch.slot)
            self._consumers[batch.consumer].free.append(batch.slot)
        grants: list[tuple[int, int]] = []
        for batch in batches:
            reader = batch.consumer * self.plan.readers + batch.step % self.plan.readers
            self._consumers[batch.consumer].owed.append(reader)
        for number in {batch.consumer for batch in (*batches, *released)}:
            grants += self._grants(self._consumers[number])
        self._send_grants(grants)

    def pump(self, timeout_ns: int | None) -> bool:
        """Take in what the workers say, waiting so long for it; True when there was something. Raises what a worker
        met, or WorkerError when one is gone."""
        if self.inline:
            packets = self._links[0].receive(timeout_ns)
            self._handle(0, packets)
            return bool(packets)
        if not self._waiter.wait(timeout_ns):
            return False
        for descriptor in self._waiter.readable():
            worker = self._by_descriptor[descriptor]
            self._handle(worker, self._links[worker].receive(0))
        return True

    def starved(self, consumer: int) -> bool:
        """Whether no batch is ready nor will be, since every slot is held by batches that were taken."""
        mine = self._consumers[consumer]
        first = consumer * self.plan.slots
        held = sum(slot in self._taken for slot in range(first, first + self.plan.slots))
        return not mine.ready and held == self.plan.slots

    def records(self, batch: ReadyBatch) -> bytes:
        """A batch's records (dtype slab.RECORD)."""
        if batch.runs:
            return records_of(self.runs(batch)).tobytes()
        return self.slab.records(batch.slot, batch.count)

    def runs(self, batch: ReadyBatch) -> "NDArray[np.void]":
        """The runs of a batch that has them (dtype slab.RUN)."""
        return self.slab.runs(batch.slot, batch.runs)

    def layouts(self, batch: ReadyBatch, records: "NDArray[np.void]") -> list[Layout]:
        """The layout of each of its samples or runs; a single one where all share it."""
        known = self._layouts[batch.worker]
        numbers = records["layout"]
        if len(numbers) and (numbers == numbers[0]).all():
            return [known[int(numbers[0])]]
        return [known[number] for number in records["layout"].tolist()]

    def report(self) -> Sequence[messages.WorkerReport]:
        """What each worker did so far."""
        self._reports = []
        for link in self._links:
            link.send(messages.ASK)
        while len(self._reports) < len(self._links):
            self.pump(None)
        return self._reports

    def stages(self) -> StageTotals | None:
        """Where the workers' time went so far; None where the reading is done in this process, beside all else."""
        return None if self.inline else total_of(report.stages for report in self.report())

    def describe_reading(self) -> str:
        """The files being read now, in words, for an error."""
        return self._describe(range(self.plan.num_readers))

    def close(self) -> None:
        """End the workers. Views of batches stay readable."""
        if self._closed:
            return
        self._closed = True
        for link in self._links:
            with contextlib.suppress(OSError):
                link.close()
        self.slab.close()

    def _grants(self, consumer: _Consumer) -> list[tuple[int, int]]:
        grants = []
        while consumer.owed and consumer.free:
            # The slot that was given back last: it may still be in a cache.
            grants.append((consumer.owed.popleft(), consumer.free.pop()))
        return grants

    def _send_grants(self, grants: Sequence[tuple[int, int]]) -> None:
        by_worker: dict[int, list[tuple[int, int]]] = {}
        for reader, slot in grants:
            by_worker.setdefault(reader % self.plan.workers, []).append((reader, slot))
        for worker, pairs in by_worker.items():
            self._links[worker].send(messages.credits(pairs))

    def _handle(self, worker: int, packets: Sequence[bytes]) -> None:
        for packet in packets:
            letter = packet[:1]
            if letter == messages.BATCH:
                consumer, step, slot, count, runs = messages.read_batch(packet)
                ready = ReadyBatch(consumer, step, slot, count, worker, perf_counter_ns(), runs)
                self._consumers[consumer].ready[step] = ready
            elif letter == messages.LAYOUT:
                number, layout = cast(tuple[int, Layout], messages.unpickled(packet))
                self._layouts[worker][number] = layout
            elif letter == messages.DRAINED:
                self._drained += 1
            elif letter == messages.REPORT:
                self._reports.append(cast(messages.WorkerReport, messages.unpickled(packet)))
            elif letter == messages.ERROR:
                raise messages.error_of(cast(messages.WorkerFailure, messages.unpickled(packet)))

    def _reading(self, worker: int) -> str:
        return self._describe(self.plan.readers_of(worker))

    def _describe(self, readers: range) -> str:
        files = {self.slab.status[reader] for reader in readers} - {IDLE}
        if not files:
            return ""
        keys = sorted(self.plan.files.key(file) for file in files)
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        return f" while reading {', '.join(keys[:4])}{more} in {self.plan.uri}"
