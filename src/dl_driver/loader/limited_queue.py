# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A queue of reads that takes any number of them."""

from collections import deque
from collections.abc import Sequence

from dl_driver.storage.base import Completion, Read, ReadQueue


class LimitedQueue:
    """Keeps back reads of which there would be more in flight than the queue takes."""

    def __init__(self, queue: ReadQueue, depth: int) -> None:
        self._queue, self._depth, self.spreads = queue, depth, queue.spreads
        self.in_flight = 0
        """Reads that the queue has."""
        self._kept_back: deque[Read] = deque()
        self.release, self.report, self.close = queue.release, queue.report, queue.close

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue, but any number."""
        room = self._depth - self.in_flight
        if self._kept_back or len(reads) > room:
            self._kept_back.extend(reads)
            reads = [self._kept_back.popleft() for _ in range(min(room, len(self._kept_back)))]
        self.in_flight += len(reads)
        if reads:
            self._queue.submit(reads)

    @property
    def woken(self) -> bool:
        """See ReadQueue."""
        return self._queue.woken

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        completions = self._queue.wait(timeout_ns)
        self.in_flight -= len(completions)
        if self._kept_back:
            self.submit(())
        return completions
