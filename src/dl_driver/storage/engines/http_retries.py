# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of the HTTP engine that are to be made again: whether, when, and how many there were for which reason."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from time import perf_counter_ns

from dl_driver.storage.engines.http_job import Job
from dl_driver.storage.engines.retry import BUDGET, RetryBudget, jittered_delay_ns, rare_delay_ns

_OF_THE_SERVER = ("refused", "network", "connect timeout", "no answer", "stalled")
"""Failures that do say something of the server: that it is down, or cannot be reached."""


class Retries:
    """Of one queue."""

    def __init__(self, attempts: int) -> None:
        """``attempts``: times that a request is made before its read fails."""
        self.counts: Counter[str] = Counter()
        """Requests made again, by reason."""
        self._attempts = attempts
        self._budget = RetryBudget()
        self._random = random.Random()
        self._delayed: list[tuple[int, int, Job]] = []
        self._ticket = itertools.count()

    def succeeded(self, job: Job) -> None:
        """A request was answered. Hot."""
        if self._budget.tokens < BUDGET and not job.attempts:
            self._budget.earn()

    def again(self, job: Job, kind: str, *, slow: bool, after_ns: int) -> str | None:
        """A request failed: make it again, not before ``after_ns``; or why not, in words."""
        job.attempts += 1
        count = f"{job.attempts} attempts" if job.attempts > 1 else "its only attempt"
        if job.attempts >= self._attempts:
            return f"{count} failed"
        if not self._budget.spend():
            return f"{count} failed, and too many of other reads to go on"
        self.counts[kind] += 1
        rare = not self._budget.strained and kind not in _OF_THE_SERVER
        delay_ns = (rare_delay_ns if rare else jittered_delay_ns)(job.attempts, self._random, slow=slow)
        heapq.heappush(self._delayed, (perf_counter_ns() + max(after_ns, delay_ns), next(self._ticket), job))
        return None

    @property
    def next_ns(self) -> int | None:
        """When the first of those that wait is due."""
        return self._delayed[0][0] if self._delayed else None

    def due(self, now: int) -> Iterator[Job]:
        """Those whose wait is over."""
        while self._delayed and self._delayed[0][0] <= now:
            yield heapq.heappop(self._delayed)[2]
