# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the HTTP engine waits for one answer: up to the limits, and less where the others come far sooner.

A server that is slow is waited for. One request that is late while others are answered was lost by some server behind
the name, and asking again is quicker than waiting for the limit. What is usual is the mean of those that were answered:
the ones that are lost, however many, must not make others seem usual. Where many are under way and none is answered,
perhaps the server stands still: then a few requests are made again, and the others only when one of them was answered.
"""

from collections.abc import Iterable
from typing import NamedTuple

from dl_driver.storage.engines.http_connection import Connection

CHECK_NS = 10_000_000
"""From one look at all connections to the next."""
_WINDOW_NS = 50_000_000
"""Over which answers are counted, and longer while there are few."""
_FEWEST_ANSWERS = 16
"""Of a window: one that took long says little."""
_SHORTEST_NS = 50_000_000
_TIMES_USUAL = 8
_MOST_HURRIES = 3
_FIRST_ALLOWED = 8
_PROBES = 4
_SMOOTHING = 0.25
_SECOND = 1_000_000_000


class Answers(NamedTuple):
    """That came so far."""

    number: int
    taken_ns: int
    """From their requests until they were there as a whole, all together."""


class Overdue(NamedTuple):
    """A connection whose answer is not to be waited for alone, and why."""

    connection: Connection
    kind: str
    """``late``, or which limit is over."""
    reason: str


class Patience:
    """Of one queue."""

    def __init__(self, late_share: float) -> None:
        """``late_share``: of all requests may be made again for being late, and a few more; 0: none."""
        self._late_share = late_share
        self._allowed = _FIRST_ALLOWED if late_share else 0
        self._usual_ns = self._late_ns = 0.0
        self._window_began_ns, self._before = 0, Answers(0, 0)
        self._answers = self._answered_ns = 0
        self._late = self._late_since_answer = 0

    def overdue(self, connections: Iterable[Connection], answers: Answers, now: int) -> list[Overdue]:
        """Whose time is over; ``answers`` came so far, over all connections."""
        self._learn(answers, now)
        late_ns, found = self._late_ns, []
        for connection in connections:
            if not connection.limit_ns:
                continue
            waited = now - connection.since_ns
            if waited > connection.limit_ns:
                found.append(_timed_out(connection))
            elif late_ns and waited > late_ns and self._may_hurry(connection, waited, now):
                found.append(Overdue(connection, "late", f"far later than other answers, after {waited / 1e9:.2g} s"))
        return found

    def _learn(self, answers: Answers, now: int) -> None:
        """Note what was answered, and at a window's end how long is far longer than usual."""
        if answers.number != self._answers:
            self._answers, self._answered_ns, self._late_since_answer = answers.number, now, 0
        came = answers.number - self._before.number
        if now - self._window_began_ns >= _WINDOW_NS and came >= _FEWEST_ANSWERS:
            taken = (answers.taken_ns - self._before.taken_ns) / came
            self._usual_ns += _SMOOTHING * (taken - self._usual_ns) if self._usual_ns else taken
            self._late_ns = max(_SHORTEST_NS, _TIMES_USUAL * max(taken, self._usual_ns))
            self._window_began_ns, self._before = now, answers

    def _may_hurry(self, connection: Connection, waited: int, now: int) -> bool:
        """Each time that a read is hurried it is given twice the time before."""
        job = connection.job
        if job is None or connection.connecting or job.hurries >= _MOST_HURRIES:
            return False
        if job.rivals is not None and job.rivals[1] is not connection:
            return False  # The later of its two requests tells.
        if waited <= self._late_ns * 2**job.hurries:
            return False
        stands_still = now - self._answered_ns > self._late_ns
        if stands_still and self._late_since_answer >= _PROBES:
            return False
        if self._late >= self._allowed + self._late_share * self._answers:
            return False
        job.hurries += 1
        self._late += 1
        self._late_since_answer += 1
        return True


def _timed_out(connection: Connection) -> Overdue:
    seconds = connection.limit_ns / _SECOND
    if connection.connecting:
        return Overdue(connection, "connect timeout", f"no connection within {seconds:g} s")
    if connection.raw_head or connection.partial:
        return Overdue(connection, "stalled", f"no further byte within {seconds:g} s")
    return Overdue(connection, "no answer", f"no answer within {seconds:g} s")
