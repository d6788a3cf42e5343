# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its answer on a connection, as far as the socket lets it go, without waiting.

The head is received into a scratch buffer and what came of the body with it is copied; the rest of the body lands in
its place. What becomes of an answer is for the queue to decide: this only tells it.
"""

import os
import select
from time import perf_counter_ns
from typing import Protocol

from dl_driver.storage.engines.http_connection import TRY_AGAIN, Connection, Handler, tls_refusal
from dl_driver.storage.engines.http_job import Job
from dl_driver.storage.engines.http_response import Head, content_range, parse_head, plain_length

SCRATCH_BYTES = 16 << 10
_MAX_HEAD = 64 << 10
_MAX_FAILURE_BODY = 64 << 10
_LONG_HEAD = 2 << 10
_TLS_ALERT = b"\x15\x03"
_IN, _OUT = select.EPOLLIN, select.EPOLLOUT


class Outcome(Protocol):
    """What the queue hears. Each call leaves the connection to it."""

    def connected(self, connection: Connection) -> None:
        """It stands; its job can be sent."""
        ...

    def won(self, connection: Connection) -> None:
        """Of a job that was asked for twice, this one's answer is the first; its bytes come next."""
        ...

    def arrived(self, connection: Connection, now: int) -> None:
        """All bytes of its job are in their place."""
        ...

    def answered_otherwise(self, connection: Connection, head: Head, body: bytes) -> None:
        """The answer is no plain success."""
        ...

    def broke(self, connection: Connection, kind: str, reason: str) -> None:
        """The connection or the answer cannot be used; ``kind`` is the reason in two words, to be counted."""
        ...

    def impossible(self, connection: Connection, reason: str) -> None:
        """It would break every time."""
        ...


class Exchange:
    """The handlers of all connections of one queue."""

    def __init__(self, poll: select.epoll, outcome: Outcome, *, first_byte_ns: int, stall_ns: int) -> None:
        self._poll, self._outcome = poll, outcome
        self._first_byte_ns, self._stall_ns = first_byte_ns, stall_ns
        self._scratch = bytearray(SCRATCH_BYTES)
        self._scratch_view = memoryview(self._scratch)
        # Bound once: they are given to a connection for every read.
        self._head_handler: Handler = self.on_head
        self.idle_handler: Handler = self.on_idle
        self.requests = 0
        """Sent so far."""

    def send(self, connection: Connection, job: Job, now: int) -> None:
        """Ask for the job's bytes that are still missing."""
        connection.job = job
        at = job.got
        if at or job.asked_range:
            first = job.offset + at
            request = connection.get(job.key, first, job.offset + job.length - 1, job.etag)
        else:
            request = connection.get(job.key, None, None, None)
        connection.handler = self._head_handler
        connection.sent_ns = connection.since_ns = now
        connection.limit_ns = self._first_byte_ns
        self.requests += 1
        try:
            sent = connection.send(request)
        except TRY_AGAIN:
            sent = 0
        except OSError as error:
            self._broke(connection, error)
            return
        if sent != len(request):
            connection.unsent = request[sent:]
            connection.handler = self.on_writable
            self._poll.modify(connection.number, _IN | _OUT)

    def on_connecting(self, connection: Connection, event: int) -> None:
        """A connection that was begun."""
        number = connection.socket.getsockopt(1, 4)  # SOL_SOCKET, SO_ERROR
        if number:
            self._broke(connection, OSError(number, ""))
        elif connection.tls:
            connection.handler = self.on_handshake
            self.on_handshake(connection, event)
        else:
            self._poll.modify(connection.number, _IN)
            self._outcome.connected(connection)

    def on_handshake(self, connection: Connection, event: int) -> None:
        """TLS in the making."""
        try:
            done = connection.handshake()
        except OSError as error:
            refusal = tls_refusal(error, connection.place.endpoint)
            if refusal is None:
                self._broke(connection, error)
            else:
                self._outcome.impossible(connection, refusal)
            return
        self._poll.modify(connection.number, _OUT if done is None else _IN)
        if done:
            self._outcome.connected(connection)

    def on_writable(self, connection: Connection, event: int) -> None:
        """A request that did not go out as a whole."""
        try:
            sent = connection.send(connection.unsent)
        except TRY_AGAIN:
            return
        except OSError as error:
            self._broke(connection, error)
            return
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            connection.handler = self.on_head
            self._poll.modify(connection.number, _IN)

    def on_idle(self, connection: Connection, event: int) -> None:
        """Something on a connection that serves no job: its end, or bytes that nobody asked for."""
        self._outcome.broke(connection, "idle end", "the server closed an idle connection")

    def on_head(self, connection: Connection, event: int) -> None:
        """The beginning of an answer."""
        try:
            count = connection.recv_into(self._scratch)
        except TRY_AGAIN:
            return
        except OSError as error:
            self._broke(connection, error)
            return
        now = perf_counter_ns()
        if not count:
            self._outcome.broke(connection, "closed early", "the server closed the connection without an answer")
            return
        data, view = self._scratch, self._scratch_view
        if connection.partial:
            data = bytearray(connection.partial + view[:count])
            view, count = memoryview(data), len(data)
        end = data.find(b"\r\n\r\n", 0, count)
        if end < 0:
            self._wait_for_more(connection, bytes(view[:count]), now)
            return
        connection.partial = b""
        job = connection.job
        assert job is not None
        raw = bytes(view[: end + 1])
        text = raw.lower()
        length = plain_length(text)
        if length < 0 or job.asked_range or job.got or text[11] != 48:  # "0"
            self._begin_other(connection, job, raw, view[end + 4 : count], now)
            return
        # The whole object, as most reads want it.
        if job.rivals is not None:
            self._outcome.won(connection)
        connection.raw_head, connection.fresh = raw, False
        if job.first_byte_ns is None:
            job.first_byte_ns = now
        room = job.length
        job.total = length
        if length > room:
            connection.excess, length = True, room
        else:
            job.length = length
            if count - end - 4 == length:
                # It came in one piece with its head, as small ones do.
                job.into[:length] = view[end + 4 : count]
                self._outcome.arrived(connection, now)
                return
        self._take_body(connection, job, view[end + 4 : count], length, now)

    def _begin_other(self, connection: Connection, job: Job, raw: bytes, body: memoryview, now: int) -> None:
        """An answer that is not simply a whole object."""
        head = parse_head(raw)
        if head is None:
            self._not_http(connection, raw)
            return
        connection.raw_head, connection.fresh, connection.keeps = raw, False, head.keeps
        if job.first_byte_ns is None:
            job.first_byte_ns = now
        length = head.length
        if length is None or head.status not in (200, 206):
            self._other_body(connection, head, body, now)
            return
        if job.got and not job.offset and head.status == 200:
            job.restart()  # The server knows no ranges and sends the object once more.
        if job.asked_range or job.got or head.status == 206:
            wrong = _wrong_range(job, head, length)
            if wrong:
                self._outcome.broke(connection, wrong[0], wrong[1])
                return
        else:
            job.total = length
        if job.rivals is not None:
            self._outcome.won(connection)
        room = job.length - job.got
        if length > room:
            connection.excess, length = True, room
        elif head.status == 200:
            job.length = length
        self._take_body(connection, job, body, length, now)

    def _take_body(self, connection: Connection, job: Job, body: memoryview, length: int, now: int) -> None:
        """``length`` bytes are wanted, of which ``body`` came with the head, and perhaps more than that."""
        at, count = job.got, len(body)
        if count > length:
            connection.excess, count, body = True, length, body[:length]
        end = at + count
        job.into[at:end] = body
        if count == length:
            self._outcome.arrived(connection, now)
            return
        connection.at, connection.end, connection.view = end, at + length, job.into
        connection.since_ns, connection.limit_ns = now, self._stall_ns
        connection.handler = self.on_body
        if connection.tls or count > SCRATCH_BYTES - _LONG_HEAD:
            self.on_body(connection, _IN)

    def _other_body(self, connection: Connection, head: Head, body: memoryview, now: int) -> None:
        """The body of an answer that is no plain success, in its own memory, as far as it matters."""
        length = head.length
        bodiless = head.status in (204, 304) or 100 <= head.status < 200
        if length is None or length > _MAX_FAILURE_BODY or len(body) >= length or bodiless:
            connection.excess = bodiless or len(body) != length
            self._outcome.answered_otherwise(connection, head, bytes(body))
            return
        connection.failed_head = True
        connection.view = memoryview(bytearray(length))
        connection.view[: len(body)] = body
        connection.at, connection.end = len(body), length
        connection.since_ns, connection.limit_ns = now, self._stall_ns
        connection.handler = self.on_body
        self.on_body(connection, _IN)

    def on_body(self, connection: Connection, event: int) -> None:
        """More of a body, straight into its place."""
        view = connection.view
        assert view is not None
        while True:
            at = connection.at
            try:
                count = connection.recv_into(view[at : connection.end])
            except TRY_AGAIN:
                return
            except OSError as error:
                self._broke(connection, error)
                return
            if not count:
                missing = connection.end - at
                self._outcome.broke(connection, "truncated", f"the answer ended {missing} bytes too early")
                return
            connection.at = at = at + count
            connection.since_ns = perf_counter_ns()
            if at == connection.end:
                break
            if not connection.tls:
                return
        if connection.failed_head:
            head = parse_head(connection.raw_head)
            assert head is not None
            self._outcome.answered_otherwise(connection, head, bytes(view[:at]))
        else:
            self._outcome.arrived(connection, connection.since_ns)

    def _wait_for_more(self, connection: Connection, data: bytes, now: int) -> None:
        if data.startswith(_TLS_ALERT):
            self._not_http(connection, data)
        elif len(data) > _MAX_HEAD:
            self._outcome.broke(connection, "no HTTP", "the server's answer has no end to its head")
        else:
            connection.partial = data
            connection.since_ns, connection.limit_ns = now, self._stall_ns
            if connection.tls:
                self.on_head(connection, _IN)

    def _not_http(self, connection: Connection, data: bytes) -> None:
        endpoint = connection.place.endpoint
        if data.startswith(_TLS_ALERT):
            self._outcome.impossible(connection, f"{endpoint.url} speaks TLS: write https:// in the endpoint")
        else:
            self._outcome.broke(connection, "no HTTP", f"the server's answer is no HTTP: it begins with {data[:16]!r}")

    def _broke(self, connection: Connection, error: OSError) -> None:
        kind, reason = describe(error)
        self._outcome.broke(connection, kind, reason)


def describe(error: OSError) -> tuple[str, str]:
    """A network error in two words, and in full."""
    if isinstance(error, ConnectionRefusedError):
        return "refused", "the connection was refused: is the server running, and is this its port?"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return "reset", "the server broke the connection off"
    return "network", os.strerror(error.errno) if error.errno and not error.strerror else str(error.strerror or error)


def _wrong_range(job: Job, head: Head, length: int) -> tuple[str, str] | None:
    """Why the answer's bytes are not those that were asked for, or None. Notes the object's size."""
    first = job.offset + job.got
    asked = job.asked_range or job.got > 0
    if head.status == 200:
        if first == 0:
            return None
        return "wrong range", f"the server sent the whole object where bytes from {first} on were asked for"
    found = content_range(head.text)
    if not asked or found is None:
        return "wrong range", "the server sent a part of the object that was not asked for"
    last = job.offset + job.length - 1
    if found.total is not None:
        last = min(last, found.total - 1)
    if found.first != first or found.last != last or length != last - first + 1:
        return "wrong range", f"the server sent bytes {found.first}-{found.last} where {first}-{last} were asked for"
    if job.total is not None and found.total is not None and found.total != job.total:
        job.restart()
        return "changed", "the object changed while it was read"
    if found.total is not None:
        job.total = found.total
        job.length = last - job.offset + 1
    return None
