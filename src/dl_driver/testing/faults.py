# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy in front of any HTTP/1.1 server that breaks a programmed share of its answers and counts them.

    with fault_proxy("http://127.0.0.1:9000", FaultPlan([Fault.RESET], share=0.01, seed=7)) as proxy:
        ...                                # talk to proxy.url instead
        proxy.counts().broken              # {Fault.RESET: 12}

It runs in a process of its own, which ends when this one does. Requests are passed on unchanged, the Host header
included, so that signatures made for the proxy's address hold where the server takes the Host for part of them.
"""

import asyncio
import socket
import struct
import urllib.parse
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from dl_driver.processes import WorkerProcess
from dl_driver.testing.fault_plan import CUT, REPLACED, Fault, FaultCounts, FaultPlan
from dl_driver.testing.http_relay import HEAD_LIMIT_BYTES, Head, RelayError, body_blocks, has_body, read_head

__all__ = ["Fault", "FaultCounts", "FaultPlan", "FaultProxy", "fault_proxy"]

_INVERTED = bytes(255 - value for value in range(256))
_STATUS = {
    Fault.INTERNAL_ERROR: (b"500 Internal Server Error", "InternalError"),
    Fault.SLOW_DOWN: (b"503 Slow Down", "SlowDown"),
    Fault.TOO_MANY_REQUESTS: (b"429 Too Many Requests", "TooManyRequests"),
    Fault.ERROR_IN_SUCCESS: (b"200 OK", "InternalError"),
}


class FaultProxy:
    """The proxy, seen from the test. Not shared between threads."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{process.channel.recv()}"
        """In place of the server's."""

    def program(self, plan: FaultPlan) -> None:
        """Follow another plan from now on, and count from nothing again."""
        self._ask(plan)

    def counts(self) -> FaultCounts:
        """What went wrong since the plan was set."""
        counts = self._ask(None)
        assert isinstance(counts, FaultCounts)
        return counts

    def _ask(self, message: FaultPlan | None) -> object:
        self._process.channel.send(message)
        return self._process.channel.recv()


@contextmanager
def fault_proxy(upstream_url: str, plan: FaultPlan | None = None, port: int = 0) -> Iterator[FaultProxy]:
    """A proxy on 127.0.0.1 in front of the server at ``upstream_url`` (http:// alone); port 0 takes a free one."""
    upstream = urllib.parse.urlsplit(upstream_url)
    where = (upstream.hostname or "127.0.0.1", upstream.port or 80)
    with WorkerProcess("dl_driver.testing.faults:_serve", (where, plan or FaultPlan(), port)) as process:
        yield FaultProxy(process)


def _serve(channel: "Connection[Any, Any]", payload: tuple[tuple[str, int], FaultPlan, int]) -> None:
    """The proxy's process."""
    upstream, plan, port = payload
    asyncio.run(_Proxy(upstream, plan).run(channel, port))


@dataclass(slots=True)
class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    server: asyncio.StreamReader
    to_server: asyncio.StreamWriter


class _Broken(Exception):
    """The client's connection was broken on purpose and is over."""


class _Proxy:
    """One event loop's state: no lock is needed."""

    def __init__(self, upstream: tuple[str, int], plan: FaultPlan) -> None:
        self._upstream = upstream
        self._serving: set[asyncio.Task[None] | None] = set()
        """Held here, since the event loop forgets a task that waits for a client that is gone."""
        self._program(plan)

    def _program(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._answers = 0
        self._broken: Counter[Fault] = Counter()

    async def run(self, channel: "Connection[Any, Any]", port: int) -> None:
        """Serve until the channel closes."""
        over = asyncio.Event()
        server = await asyncio.start_server(self._serve_client, "127.0.0.1", port, limit=HEAD_LIMIT_BYTES, backlog=1024)
        channel.send(server.sockets[0].getsockname()[1])
        asyncio.get_running_loop().add_reader(channel.fileno(), self._command, channel, over)
        await over.wait()
        server.close()

    def _command(self, channel: "Connection[Any, Any]", over: asyncio.Event) -> None:
        try:
            message = channel.recv()
        except (EOFError, OSError):
            over.set()
            return
        if message is not None:
            self._program(message)
        channel.send(FaultCounts(self._answers, dict(self._broken)))

    async def _serve_client(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._relay_all(client, to_client)
        finally:
            self._serving.discard(task)

    async def _relay_all(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        _send_at_once(to_client)
        try:
            server, to_server = await asyncio.open_connection(*self._upstream, limit=HEAD_LIMIT_BYTES)
        except OSError:
            to_client.close()
            return
        _send_at_once(to_server)
        connection = _Connection(client, to_client, server, to_server)
        try:
            while await self._exchange(connection):
                pass
        except (_Broken, RelayError, OSError, asyncio.CancelledError):
            pass  # A side is gone, or the proxy ends; what is left is to close the other side, which tells it so.
        finally:
            to_server.transport.abort()
            to_client.close()

    async def _exchange(self, connection: _Connection) -> bool:
        """One request and its answer; False where it was the last."""
        request = await read_head(connection.client)
        if request is None:
            return False
        fault = self._next_fault(request)
        if (request.get(b"expect") or b"").lower() == b"100-continue":
            connection.to_client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request = request.without(b"expect")
        if fault in REPLACED:
            await self._replace(connection, request, fault)
            return not request.closes
        if fault is Fault.STALL_START:
            self._broken[fault] += 1
            await self._stall(connection)
        await _pass_on(request, connection)
        answer = await _final_answer(connection)
        if not has_body(request, answer):
            connection.to_client.write(answer.encode())
        elif fault is None or (fault is Fault.WRONG_RANGE and answer.length is None):
            await _relay(answer, body_blocks(connection.server, answer), connection.to_client)
        else:
            await self._relay_broken(connection, answer, fault)
        await connection.to_client.drain()
        return not (request.closes or answer.closes or (answer.length is None and not answer.is_chunked))

    def _next_fault(self, request: Head) -> Fault | None:
        if request.method not in self._plan.methods:
            return None
        number = self._answers
        self._answers += 1
        return self._plan.fault_of(number)

    async def _replace(self, connection: _Connection, request: Head, fault: Fault) -> None:
        """Answer in the server's place; the server is not asked."""
        async for _ in _request_body(connection.client, request):
            pass
        self._broken[fault] += 1
        line, code = _STATUS[fault]
        document = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
        )
        body = b"" if request.method == "HEAD" else document.encode()
        head = Head(
            b"HTTP/1.1 " + line,
            ((b"Content-Type", b"application/xml"), (b"Content-Length", str(len(document)).encode())),
        )
        connection.to_client.write(head.encode() + body)
        await connection.to_client.drain()

    async def _relay_broken(self, connection: _Connection, answer: Head, fault: Fault) -> None:
        self._broken[fault] += 1
        blocks = body_blocks(connection.server, answer)
        if fault is Fault.LATENCY:
            await asyncio.sleep(self._plan.latency_s)
            await _relay(answer, blocks, connection.to_client)
        elif fault is Fault.BANDWIDTH:
            await _relay(answer, _slowed(blocks, self._plan.bytes_per_second), connection.to_client)
        elif fault is Fault.WRONG_RANGE:
            await _relay(_with_wrong_range(answer), _inverted(blocks), connection.to_client)
        elif fault in CUT:
            await _relay(answer, _first_half(blocks, answer.length), connection.to_client)
            await self._cut(connection, fault)

    async def _cut(self, connection: _Connection, fault: Fault) -> None:
        """End the connection in the middle of a body."""
        if fault is Fault.STALL_BODY:
            await self._stall(connection)
        if fault is Fault.RESET:
            # Closing with no time to linger sends RST in place of FIN. What was written has to leave first.
            await _until_sent(connection.to_client)
            connection.to_client.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            connection.to_client.transport.abort()
        raise _Broken

    async def _stall(self, connection: _Connection) -> None:
        """Say nothing until the time is over or the client leaves."""
        try:
            async with asyncio.timeout(self._plan.stall_s):
                while await connection.client.read(1 << 16):
                    pass
        except TimeoutError:
            pass  # The client was more patient than the plan.
        raise _Broken


def _send_at_once(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _until_sent(writer: asyncio.StreamWriter) -> None:
    """Return when the kernel has everything that was written."""
    writer.transport.set_write_buffer_limits(high=0)
    await writer.drain()


async def _pass_on(request: Head, connection: _Connection) -> None:
    connection.to_server.write(request.encode())
    async for block in _request_body(connection.client, request):
        connection.to_server.write(block)
        await connection.to_server.drain()


async def _request_body(client: asyncio.StreamReader, request: Head) -> AsyncIterator[bytes]:
    """The blocks of a request's body; a request without a length has none."""
    if request.length or request.is_chunked:
        async for block in body_blocks(client, request):
            yield block


async def _final_answer(connection: _Connection) -> Head:
    """The answer's head; 1xx ones before it are passed on."""
    while True:
        answer = await read_head(connection.server)
        if answer is None:
            raise RelayError("the server closed the connection in place of an answer")
        if answer.status >= 200:
            return answer
        connection.to_client.write(answer.encode())


async def _relay(head: Head, blocks: AsyncIterator[bytes], to_client: asyncio.StreamWriter) -> None:
    """Write head and blocks; the head goes out with the first block."""
    waiting = head.encode()
    async for block in blocks:
        to_client.write(waiting + block)
        waiting = b""
        await to_client.drain()
    if waiting:
        to_client.write(waiting)


async def _slowed(blocks: AsyncIterator[bytes], bytes_per_second: float) -> AsyncIterator[bytes]:
    """The blocks, each at the time when the one before is through a line of this speed."""
    async for block in blocks:
        yield block
        await asyncio.sleep(len(block) / bytes_per_second)


async def _inverted(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """As many bytes, none of them right."""
    async for block in blocks:
        yield block.translate(_INVERTED)


async def _first_half(blocks: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """Half of a body of known length; of another its first block, without the frame's end."""
    rest = length // 2 if length is not None else None
    async for block in blocks:
        if rest is None:
            yield block[:-3]
            return
        if rest:
            yield block[:rest]
            rest -= min(rest, len(block))
        if not rest:
            return


def _with_wrong_range(answer: Head) -> Head:
    """The same length at another place: one byte further, in an object at least that long."""
    length = answer.length or 0
    told = answer.get(b"content-range")
    first = int(told.split(b" ", 1)[1].split(b"-", 1)[0]) if told else 0
    whole = int(told.rsplit(b"/", 1)[1]) if told and not told.endswith(b"*") else first + length
    moved = f"bytes {first + 1}-{first + length}/{max(whole, first + length + 1)}"
    return answer.replaced(b"HTTP/1.1 206 Partial Content", content_range=moved.encode())
