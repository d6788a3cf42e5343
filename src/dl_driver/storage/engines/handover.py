# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads by a store's general client, in threads, for what the HTTP engine leaves to it."""

import os
import select
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import NamedTuple

from dl_driver.errors import StorageError
from dl_driver.storage.base import Completion, QueueReport, Read
from dl_driver.storage.engines.http_job import Job
from dl_driver.storage.engines.http_service import Service

_MAX_THREADS = 32


class Outcome(NamedTuple):
    """How a job ended."""

    job: Job
    length: int
    error: StorageError | None


class Handover:
    """Threads and the descriptor that tells when one has finished."""

    def __init__(self, service: Service, depth: int) -> None:
        self._service = service
        self._done: deque[Outcome] = deque()  # appended by the threads, taken by the owner: both are atomic
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads = ThreadPoolExecutor(min(depth, _MAX_THREADS), thread_name_prefix="dl-driver-read")

    def submit(self, job: Job) -> None:
        """Read the job's span anew."""
        self._threads.submit(self._read, job)

    def _read(self, job: Job) -> None:
        length, error = 0, None
        try:
            length = self._service.read(job.key, job.offset, job.into[: job.length])
        except StorageError as failure:
            error = failure
        except BaseException as failure:
            error = StorageError(f"cannot read {job.key}: {type(failure).__name__} in the general client: {failure}")
            raise
        finally:
            self._done.append(Outcome(job, length, error))
            os.eventfd_write(self.descriptor, 1)

    def take(self) -> list[Outcome]:
        """What has finished."""
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return []
        return [self._done.popleft() for _ in range(len(self._done))]

    def close(self) -> None:
        """Wait for the reads that began."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        os.close(self.descriptor)


class HandoverQueue:
    """A ReadQueue that leaves every read to the general client, for stores that the HTTP engine cannot reach."""

    spreads = False

    def __init__(self, service: Service, depth: int, watch: int | None = None) -> None:
        self._handover = Handover(service, depth)
        self._poll = select.poll()
        self._poll.register(self._handover.descriptor, select.POLLIN)
        if watch is not None:
            self._poll.register(watch, select.POLLIN)
        self._watch, self.woken = watch, False
        self._reads = 0

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        now = perf_counter_ns()
        for read in reads:
            self._handover.submit(Job(read, now, True))
        self._reads += len(reads)

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        ready = self._poll.poll(None if timeout_ns is None else timeout_ns / 1e6)
        self.woken = any(descriptor == self._watch for descriptor, _ in ready)
        now = perf_counter_ns()
        return [
            Completion(job.tag, 0 if error else length, job.submitted_ns, None, now, error)
            for job, length, error in self._handover.take()
        ]

    def release(self, session: int) -> None:
        """Objects are never open."""

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport("obstore", self._reads, 0, handed_over=self._reads)

    def close(self) -> None:
        """See ReadQueue."""
        self._handover.close()
