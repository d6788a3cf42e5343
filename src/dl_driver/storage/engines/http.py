# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from object stores over HTTP/1.1: many connections, one thread, one wait for all of them.

A read is one GET on a connection that stays open; a large one may be several, of ranges. What fails in passing is asked
for again, from the last good byte on; what is no plain success goes to the store's general client (obstore). Every
such case is counted.
"""

import select
from collections import deque
from collections.abc import Sequence
from time import perf_counter_ns

from dl_driver.errors import StorageError, UnreachableError
from dl_driver.metrics.clock import Waiter
from dl_driver.storage.base import Completion, QueueReport, Read
from dl_driver.storage.engines.handover import Handover
from dl_driver.storage.engines.http_connection import Connection, Place, Places
from dl_driver.storage.engines.http_exchange import Exchange, describe
from dl_driver.storage.engines.http_job import Job, never_split, part_sizes, split
from dl_driver.storage.engines.http_patience import CHECK_NS, Answers, Patience
from dl_driver.storage.engines.http_pool import Pool, SecondRequests
from dl_driver.storage.engines.http_response import Head, etag_of, retry_after_s, unsatisfied_total
from dl_driver.storage.engines.http_retries import Retries
from dl_driver.storage.engines.http_service import Judgement, Service
from dl_driver.storage.engines.tls_probe import tls_trouble
from dl_driver.storage.options import ObjectStoreOptions

_SECOND = 1_000_000_000
_PRECISE_NS = 10_000_000
"""Shorter waits are timed to the microsecond; the kernel counts epoll's in milliseconds."""
_MORE_EVENTS = 16
"""Than connections, of a wait: all that is there is taken before any connection is called late."""
_FEWEST_CONNECTIONS = 8
_MAX_RETRY_AFTER_S = 30
_LESS_THAN = 60  # "<"
_completion = tuple.__new__
"""Makes a Completion in a third of the time of its own constructor."""


class HttpQueue:
    """A ReadQueue over one store."""

    spreads = False

    def __init__(self, service: Service, depth: int, options: ObjectStoreOptions, watch: int | None = None) -> None:
        """Raises StorageError where an endpoint's name or certificates cannot be used."""
        self._service, self._options, self._limits = service, options, options.limits
        self._max = options.connections or max(depth, _FEWEST_CONNECTIONS)
        self._whole_bytes = never_split(options.range_size)
        tls = any(endpoint.tls for endpoint in service.endpoints)
        context = service.tls_context() if tls else None
        self._places = Places(service)
        self._poll = select.epoll()
        self._precise = Waiter([self._poll.fileno()])
        self._watch, self.woken = watch, False
        if watch is not None:
            self._poll.register(watch, select.EPOLLIN)
        self._exchange = Exchange(
            self._poll,
            self,
            first_byte_ns=int(self._limits.first_byte_s * _SECOND),
            stall_ns=int(self._limits.stall_s * _SECOND),
        )
        connect_ns = int(self._limits.connect_s * _SECOND)
        self._pool = Pool(self._poll, self._exchange, self._places, context, limit=self._max, connect_ns=connect_ns)
        self._connections, self._idle = self._pool.by_number, self._pool.idle
        self._retries = Retries(self._limits.attempts)
        more = not options.connections  # Unless the user said how many.
        self._second = SecondRequests(self._pool, self._exchange, service, self._retries.counts, more_connections=more)
        self._max_events = self._max + self._second.most_connections + _MORE_EVENTS
        self._pending: deque[Job] = deque()
        self._done: list[Completion] = []
        self._handover = Handover(service, depth)
        self._poll.register(self._handover.descriptor, select.EPOLLIN)
        self._in_flight = self._reads = self._handed_over = 0
        self._ranged = False
        """An object was larger than what was asked of it: from now on requests name their range."""
        self._patience = Patience(options.late_share)
        self._answers = self._taken_ns = 0
        """Whole answers so far, and how long all of them took."""
        self._next_check = perf_counter_ns() + CHECK_NS

    def submit(self, reads: Sequence[Read]) -> None:
        """See ReadQueue."""
        now = perf_counter_ns()
        for read in reads:
            ranged = self._ranged or read.offset > 0 or read.session > 0
            if read.length <= self._whole_bytes:
                self._pending.append(Job(read, now, ranged))
                self._in_flight += 1
                continue
            sizes = part_sizes(read.length, self._options.range_size, self._max - self._in_flight)
            jobs = [Job(read, now, ranged)] if len(sizes) == 1 else split(read, now, sizes)
            self._in_flight += len(jobs)
            self._pending += jobs
        self._reads += len(reads)
        self._start(now)

    def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
        """See ReadQueue."""
        until = None if timeout_ns is None else perf_counter_ns() + timeout_ns
        self.woken = self._turn(0) if self._done else False
        while not self._done and not self.woken:
            now = perf_counter_ns()
            if until is not None and now >= until and timeout_ns:
                break
            self.woken = self._turn(self._time_left(now, until))
            if timeout_ns == 0:
                break
        done, self._done = self._done, []
        return done

    def release(self, session: int) -> None:
        """Objects are never open."""

    def report(self) -> QueueReport:
        """See ReadQueue."""
        return QueueReport(
            "http",
            self._reads,
            0,
            retries=dict(+self._retries.counts),
            handed_over=self._handed_over,
            requests=self._exchange.requests,
            connections=self._pool.opened,
        )

    def close(self) -> None:
        """See ReadQueue."""
        self._pool.close()
        self._handover.close()
        self._poll.close()

    def _time_left(self, now: int, until: int | None) -> int | None:
        """How long the next wait may last, in ns."""
        ends = [] if until is None else [until]
        if (due := self._retries.next_ns) is not None:
            ends.append(due)
        if self._in_flight:
            # Looking after connections has time: rounded up, it needs no precise wait of its own.
            ends.append(max(self._next_check, now + _PRECISE_NS))
        return max(0, min(ends) - now) if ends else None

    def _turn(self, timeout_ns: int | None) -> bool:
        """Wait once and handle what happened; True when the watched descriptor is readable."""
        woken = False
        # New connections are begun only below, so that no event here can mean another connection than it did.
        for number, event in self._events(timeout_ns):
            connection = self._connections.get(number)
            if connection is not None:
                connection.handler(connection, event)
            elif number == self._watch:
                woken = True
            elif number == self._handover.descriptor:
                self._take_handed_over()
        now = perf_counter_ns()
        if now >= self._next_check:
            self._check_times(now)
        self._pending.extend(self._retries.due(now))
        if self._pending:
            self._start(now)
        return woken

    def _events(self, timeout_ns: int | None) -> list[tuple[int, int]]:
        if timeout_ns is not None and 0 < timeout_ns < _PRECISE_NS:
            if ready := self._poll.poll(0, self._max_events):
                return ready
            self._precise.wait(timeout_ns)
            timeout_ns = 0
        return self._poll.poll(None if timeout_ns is None else timeout_ns / _SECOND, self._max_events)

    def _start(self, now: int) -> None:
        pending, idle, send = self._pending, self._idle, self._exchange.send
        while pending:
            if idle:
                send(idle.popleft(), pending.popleft(), now)
            elif len(self._connections) < self._pool.limit:
                self._open(pending.popleft(), now)
            else:
                return

    def _open(self, job: Job, now: int) -> None:
        place = self._places.choose(now)
        try:
            self._pool.connect(place, job, now)
        except OSError as error:
            kind, reason = describe(error)
            self._connection_failed(place, job, kind, reason, now)

    def connected(self, connection: Connection) -> None:
        """See Outcome."""
        assert connection.job is not None
        connection.connecting = False
        self._exchange.send(connection, connection.job, perf_counter_ns())

    def won(self, connection: Connection) -> None:
        """See Outcome."""
        self._second.won(connection)

    def arrived(self, connection: Connection, now: int) -> None:
        """See Outcome."""
        job = connection.job
        assert job is not None
        if job.length and job.into[0] == _LESS_THAN and self._is_error_in_disguise(connection, job):
            return
        if connection.excess:
            self._ranged = True
        if job.group is not None:
            job.etag = etag_of(connection.raw_head)
        self._pool.rest(connection)
        self._answers += 1
        self._taken_ns += now - connection.sent_ns
        self._retries.succeeded(job)
        if job.group is not None:
            self._finish(job, now, None)
            return
        self._in_flight -= 1
        done = (job.tag, job.length, job.submitted_ns, job.first_byte_ns, now, None)
        self._done.append(_completion(Completion, done))

    def answered_otherwise(self, connection: Connection, head: Head, body: bytes) -> None:
        """See Outcome."""
        job = connection.job
        assert job is not None
        connection.excess |= head.length is None
        if job.rivals is not None:
            if self._second.passes(head, body):
                self._second.fell_out(connection, job)
                self._pool.rest(connection)
                return
            self.won(connection)
        self._pool.rest(connection)
        endpoint = connection.place.endpoint
        if head.status == 416:
            self._beyond_the_end(job, head)
        elif head.status == 412 and job.etag is not None:
            job.restart()
            self._retry(job, "changed", "the object changed while it was read", connection.place)
        elif head.status in (200, 206):
            self._hand_over(job)
        else:
            verdict = self._service.judge(head.status, body)
            if verdict.judgement is Judgement.HAND_OVER:
                self._hand_over(job)
            elif verdict.judgement is Judgement.FAIL:
                self._fail(job, self._message(job, endpoint.url, verdict.reason), verdict.kind)
            else:
                slow = verdict.judgement is Judgement.SLOW_DOWN
                after = min(retry_after_s(head.text) or 0, _MAX_RETRY_AFTER_S)
                self._retry(
                    job, f"status {head.status}", verdict.reason, connection.place, slow=slow, after_ns=after * _SECOND
                )

    def broke(self, connection: Connection, kind: str, reason: str) -> None:
        """See Outcome."""
        job, place = connection.job, connection.place
        if job is None:
            self._pool.drop_idle(connection)
            return
        if job.rivals is not None:
            if connection.connecting:
                self._places.failed(place, perf_counter_ns())
            self._second.fell_out(connection, job)
            self._pool.drop(connection)
            return
        head_seen = self._note_progress(connection, job)
        self._pool.drop(connection)
        if connection.connecting:
            self._connection_failed(place, job, kind, reason, perf_counter_ns())
        elif not connection.fresh and not head_seen and not job.stale and kind in ("closed early", "reset"):
            job.stale = True
            self._retries.counts["idle end"] += 1
            self._pending.appendleft(job)
        elif kind == "late":
            self._retries.counts[kind] += 1
            self._pending.appendleft(job)
        else:
            self._retry(job, kind, reason, place)

    def impossible(self, connection: Connection, reason: str) -> None:
        """See Outcome."""
        job = connection.job
        assert job is not None
        if job.rivals is not None:
            self.won(connection)
        self._pool.drop(connection)
        self._fail(job, f"cannot read {self._service.name(job.key)}: {reason}")

    def _note_progress(self, connection: Connection, job: Job) -> bool:
        """Keep what came of a body before it broke off; True when there was a head."""
        if not connection.raw_head:
            return False
        if not connection.failed_head and connection.view is not None and connection.at > job.got:
            etag = etag_of(connection.raw_head)
            if etag is None or (job.etag is not None and job.etag != etag):
                job.restart()
            else:
                job.got, job.etag = connection.at, etag
        return True

    def _is_error_in_disguise(self, connection: Connection, job: Job) -> bool:
        """Whether a body that looks like XML, in an answer that says nothing of an object, is an error's text."""
        body = bytes(job.into[: job.length])
        if etag_of(connection.raw_head) is not None or b"<Error>" not in body[:256]:
            return False
        self._pool.rest(connection)
        job.restart()
        self._retry(job, "error as success", self._service.judge(500, body).reason, connection.place)
        return True

    def _beyond_the_end(self, job: Job, head: Head) -> None:
        """The range lies beyond the object's end, if the server tells where that is; else the general client looks."""
        total = unsatisfied_total(head.text)
        if total is None or total > job.offset or job.got:
            self._hand_over(job)
            return
        job.length = 0
        job.total = total
        self._finish(job, perf_counter_ns(), None)

    def _connection_failed(self, place: Place, job: Job, kind: str, reason: str, now: int) -> None:
        self._places.failed(place, now)
        self._retry(job, kind, reason, place)

    def _retry(self, job: Job, kind: str, reason: str, place: Place, *, slow: bool = False, after_ns: int = 0) -> None:
        why_not = self._retries.again(job, kind, slow=slow, after_ns=after_ns)
        if why_not is None:
            return
        if not self._answers and kind in ("closed early", "reset"):
            reason = tls_trouble(self._service, place.endpoint) or reason
        message = self._message(job, place.endpoint.url, f"{why_not}, the last one: {reason}")
        self._fail(job, message, UnreachableError)

    def _message(self, job: Job, url: str, reason: str) -> str:
        return f"cannot read {self._service.name(job.key)}: GET from {url}: {reason}"

    def _fail(self, job: Job, message: str, kind: type[StorageError] = StorageError) -> None:
        self._finish(job, perf_counter_ns(), kind(message))

    def _hand_over(self, job: Job) -> None:
        self._handed_over += 1
        job.restart()
        self._handover.submit(job)

    def _take_handed_over(self) -> None:
        for job, length, error in self._handover.take():
            job.length = length
            self._finish(job, perf_counter_ns(), error)

    def _finish(self, job: Job, now: int, error: StorageError | None) -> None:
        self._in_flight -= 1
        if job.group is not None:
            self._finish_part(job, now, error)
            return
        length = 0 if error else job.length
        self._done.append(_completion(Completion, (job.tag, length, job.submitted_ns, job.first_byte_ns, now, error)))

    def _finish_part(self, job: Job, now: int, error: StorageError | None) -> None:
        group = job.group
        assert group is not None
        if not group.joined(job, error):
            return
        if group.changed and group.error is None:
            group.error = StorageError(f"cannot read {self._service.name(job.key)}: it changed while it was read")
        length = 0 if group.error else group.end
        self._done.append(Completion(job.tag, length, group.submitted_ns, group.first_byte_ns, now, group.error))

    def _check_times(self, now: int) -> None:
        self._next_check = now + CHECK_NS
        answers = Answers(self._answers, self._taken_ns)
        for connection, kind, reason in self._patience.overdue(self._connections.values(), answers, now):
            if self._connections.get(connection.number) is not connection:
                continue  # It was given up for another one's sake.
            if kind != "late" or not self._second.ask(connection, now):
                self.broke(connection, kind, reason)
