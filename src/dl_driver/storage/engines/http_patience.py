# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the HTTP engine waits for one answer: up to the limits, and less where the others come far sooner.

A server that is slow is waited for. One request that is late while others are answered was lost by some server behind
the name, and asking again is quicker than waiting for the limit. The usual time follows from Little's law: requests
under way, over answers a second. While many are under way and nothing is answered, the server stands still, and
nothing is called late.
"""

from collections.abc import Iterable
from typing import NamedTuple

from dl_driver.storage.engines.http_connection import Connection

CHECK_NS = 50_000_000
"""From one look at all connections to the next."""
_SHORTEST_NS = 200_000_000
_TIMES_USUAL = 8
_MOST_HURRIES = 3
_FIRST_ALLOWED = 8
_FEW = 4
_SMOOTHING = 0.25
_SECOND = 1_000_000_000


class Overdue(NamedTuple):
    """A connection to give up, and why."""

    connection: Connection
    kind: str
    reason: str


class Patience:
    """Of one queue."""

    def __init__(self, late_share: float) -> None:
        """``late_share``: of all requests may be given up for being late, and a few more; 0: none."""
        self._late_share = late_share
        self._allowed = _FIRST_ALLOWED if late_share else 0
        self._usual_ns = 0.0
        self._answers = self._most_busy = 0
        self._looked_ns = 0
        self._late = 0

    def overdue(self, connections: Iterable[Connection], answers: int, now: int) -> list[Overdue]:
        """Whom to give up; ``answers`` came so far, over all connections."""
        busy = [connection for connection in connections if connection.limit_ns]
        late_ns = self._late_after_ns(len(busy), answers, now)
        found = []
        for connection in busy:
            waited = now - connection.since_ns
            if waited > connection.limit_ns:
                found.append(_timed_out(connection))
            elif late_ns and waited > late_ns and self._may_hurry(connection, waited, late_ns, answers):
                found.append(Overdue(connection, "late", f"far later than other answers, after {waited / 1e9:.2g} s"))
        return found

    def _late_after_ns(self, busy: int, answers: int, now: int) -> int:
        """How much time without a byte is far more than usual; 0 while that cannot be told."""
        came, passed = answers - self._answers, now - self._looked_ns
        first = not self._looked_ns
        self._answers, self._looked_ns = answers, now
        self._most_busy = max(self._most_busy, busy)
        if first or not came:
            # Either the server stands still, or these few are the last and alone.
            last = busy <= self._most_busy // _FEW
            return max(_SHORTEST_NS, int(_TIMES_USUAL * self._usual_ns)) if last and self._usual_ns else 0
        taken = passed * busy / came
        self._usual_ns += _SMOOTHING * (taken - self._usual_ns) if self._usual_ns else taken
        return max(_SHORTEST_NS, int(_TIMES_USUAL * max(taken, self._usual_ns)))

    def _may_hurry(self, connection: Connection, waited: int, late_ns: int, answers: int) -> bool:
        """Each time that a read is hurried it is given twice the time before."""
        job = connection.job
        if job is None or connection.connecting or job.hurries >= _MOST_HURRIES or waited <= late_ns << job.hurries:
            return False
        if self._late >= self._allowed + self._late_share * answers:
            return False
        job.hurries += 1
        self._late += 1
        return True


def _timed_out(connection: Connection) -> Overdue:
    seconds = connection.limit_ns / _SECOND
    if connection.connecting:
        return Overdue(connection, "connect timeout", f"no connection within {seconds:g} s")
    if connection.raw_head or connection.partial:
        return Overdue(connection, "stalled", f"no further byte within {seconds:g} s")
    return Overdue(connection, "no answer", f"no answer within {seconds:g} s")
