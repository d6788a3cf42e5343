# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When to ask again, and when to stop asking.

A wait is drawn evenly between nothing and a limit that doubles with every attempt ("full jitter"), so that clients that
failed together do not come back together. After a request's first failure the limit is lower: most then succeed, and a
reader waits for its slowest sample. The budget keeps a failing server from being asked many times over: every retry
takes from it, every success gives a little back.
"""

import random
from dataclasses import dataclass

_FIRST_NS, _BASE_NS, _SLOW_BASE_NS, _CAP_NS = 25_000_000, 100_000_000, 250_000_000, 20_000_000_000
_RARE_SLOW_NS = 50_000_000
BUDGET, _COST = 500.0, 5.0
_STRAINED = 0.8 * BUDGET


def jittered_delay_ns(attempt: int, source: random.Random, *, slow: bool = False) -> int:
    """How long to wait after the attempt-th attempt (1, 2, ...) failed; ``slow`` where the server asked for less."""
    if attempt == 1 and not slow:
        return int(source.random() * _FIRST_NS)
    limit = min(_CAP_NS, (_SLOW_BASE_NS if slow else _BASE_NS) << min(attempt - 1, 16))
    return int(source.random() * limit)


def rare_delay_ns(attempt: int, source: random.Random, *, slow: bool = False) -> int:
    """The same where nearly all other requests succeed: at once the first time, since one lost answer says nothing of
    the server; a short while where it asked for less; then as after one attempt less."""
    if attempt > 1:
        return jittered_delay_ns(attempt - 1, source, slow=slow)
    return int(source.random() * _RARE_SLOW_NS) if slow else 0


@dataclass(slots=True)
class RetryBudget:
    """Of one queue: a fifth of all requests may be retries, and a hundred more."""

    tokens: float = BUDGET
    """At most BUDGET."""

    @property
    def strained(self) -> bool:
        """Whether more than a sixth of the last requests failed, and twenty more."""
        return self.tokens < _STRAINED

    def spend(self) -> bool:
        """Take one retry; False where none is left."""
        if self.tokens < _COST:
            return False
        self.tokens -= _COST
        return True

    def earn(self) -> None:
        """A request succeeded at once."""
        if self.tokens < BUDGET:
            self.tokens += 1
