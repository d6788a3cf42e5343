# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections of one queue: one for each request under way, and two for a read that is late.

A connection rests between two reads. A read that is late is asked for a second time on a further connection, and the
first of both answers is taken. Few reads may have two connections at a time: a server that is slow as a whole would
only get slower.
"""

import contextlib
import select
import ssl
from collections import Counter, deque

from dl_driver.storage.engines.http_connection import Connection, Place, Places
from dl_driver.storage.engines.http_exchange import Exchange
from dl_driver.storage.engines.http_job import Job
from dl_driver.storage.engines.http_response import Head
from dl_driver.storage.engines.http_service import Judgement, Service

_TWICE_SHARE = 4
"""One of so many reads in flight may be asked for twice at a time."""
_MOST_SPOILED = 3
_PASSING = (Judgement.RETRY, Judgement.SLOW_DOWN)


class Pool:
    """Connections that are open or begun."""

    def __init__(
        self,
        poll: select.epoll,
        exchange: Exchange,
        places: Places,
        tls: ssl.SSLContext | None,
        *,
        limit: int,
        connect_ns: int,
    ) -> None:
        self._poll, self._places, self._tls, self._connect_ns = poll, places, tls, connect_ns
        self._on_connecting, self._idle_handler = exchange.on_connecting, exchange.idle_handler
        self.by_number: dict[int, Connection] = {}
        """All of them, by descriptor."""
        self.idle: deque[Connection] = deque()
        """Those that stand and have no job."""
        self.limit = limit
        """How many there may be now."""
        self.opened = 0
        """So far."""

    def connect(self, place: Place, job: Job, now: int) -> Connection:
        """Begin a connection for a job; raises OSError."""
        tls = self._tls if place.endpoint.tls else None
        connection = Connection(place, self._on_connecting, now, self._connect_ns, tls)
        connection.job = job
        self.by_number[connection.number] = connection
        self._poll.register(connection.number, select.EPOLLIN | select.EPOLLOUT)
        self.opened += 1
        return connection

    def further(self, job: Job, now: int) -> Connection | None:
        """An idle connection or a new one; None where none can be begun."""
        if self.idle:
            return self.idle.popleft()
        place = self._places.choose(now)
        try:
            return self.connect(place, job, now)
        except OSError:
            self._places.failed(place, now)
            return None

    def rest(self, connection: Connection) -> None:
        """The connection has no job any more. Hot."""
        if connection.excess or not connection.keeps:
            self.drop(connection)
            return
        connection.job = connection.view = None
        connection.raw_head = b""
        connection.failed_head = False
        connection.handler = self._idle_handler
        connection.limit_ns = 0
        self.idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection that is not among the idle ones."""
        del self.by_number[connection.number]
        connection.close()

    def drop_idle(self, connection: Connection) -> None:
        """Close a connection that has no job."""
        with contextlib.suppress(ValueError):
            self.idle.remove(connection)
        self.drop(connection)

    def close(self) -> None:
        """Close all."""
        for connection in self.by_number.values():
            connection.close()
        self.by_number.clear()
        self.idle.clear()


class SecondRequests:
    """The reads that are asked for twice, and which of their two requests goes on."""

    def __init__(
        self, pool: Pool, exchange: Exchange, service: Service, counts: Counter[str], *, more_connections: bool
    ) -> None:
        """``counts``: of requests made again, by reason. ``more_connections``: than the pool's limit there may be, one
        for each read that is asked for twice."""
        self._pool, self._exchange, self._service, self._counts = pool, exchange, service, counts
        self._limit = pool.limit
        self.most_connections = pool.limit // _TWICE_SHARE if more_connections else 0
        """That there may be more."""
        self._reads = 0
        """That are asked for twice now."""

    def ask(self, late: Connection, now: int) -> bool:
        """Ask once more for what a late request asked for; False where that cannot be: there is no further
        connection, or a part of the body came and lies in its place. A still earlier request is given up first."""
        job = late.job
        assert job is not None
        if job.rivals is not None:
            self._pool.drop(job.rivals[0])
            self._leave(job.rivals[0], job)
        if late.raw_head or not (self._pool.idle or self._reads < self.most_connections):
            return False
        if (other := self._pool.further(job, now)) is not None:
            self._race(late, other, job, now)
        return True

    def won(self, connection: Connection) -> None:
        """This one's answer is the first: the other request is given up."""
        job = connection.job
        assert job is not None
        assert job.rivals is not None
        earlier, later = job.rivals
        other = later if connection is earlier else earlier
        self._leave(other, job)
        self._pool.drop(other)

    def fell_out(self, connection: Connection, job: Job) -> None:
        """One of a job's two requests failed in passing. If that is the later one, the late one soon gets another."""
        if job.rivals is not None and job.rivals[1] is connection and job.spoiled < _MOST_SPOILED:
            job.spoiled += 1
            job.hurries -= 1
        self._leave(connection, job)

    def passes(self, head: Head, body: bytes) -> bool:
        """Whether an answer tells of something passing, so that the other request may still bring the object."""
        return head.status > 416 and self._service.judge(head.status, body).judgement in _PASSING

    def _race(self, late: Connection, other: Connection, job: Job, now: int) -> None:
        job.rivals = (late, other)
        self._count(1)
        self._counts["late"] += 1
        if not other.connecting:
            self._exchange.send(other, job, now)

    def _leave(self, connection: Connection, job: Job) -> None:
        """Of a job that was asked for twice, the other request alone goes on."""
        job.rivals = None
        self._count(-1)
        if connection.connecting:
            self._counts["late"] -= 1  # It was never sent.

    def _count(self, change: int) -> None:
        self._reads += change
        self._pool.limit = self._limit + min(self._reads, self.most_connections)
