# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process's part of the server: an epoll loop that takes many requests a turn and sends ready answers."""

import errno
import select
import socket
import ssl
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from dl_driver.serving.answers import Answer, Answers

_RECEIVE_BYTES = 1 << 16
_HEAD_LIMIT_BYTES = 1 << 16
_VIEWS_A_CALL = 64
_ACCEPTS_A_TURN = 64
_READABLE, _WRITABLE = select.EPOLLIN, select.EPOLLOUT
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Totals:
    """What was answered."""

    requests: int = 0
    body_bytes: int = 0
    """Of the answers' bodies, as they were begun."""

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.requests + other.requests, self.body_bytes + other.body_bytes)


@dataclass(slots=True, eq=False)
class _Client:
    """A connection. While something waits to be sent, nothing more is received, which bounds its memory."""

    socket: socket.socket
    unread: bytes = b""
    """The beginning of a head."""
    waiting: deque[memoryview] = field(default_factory=deque)
    """What is still to be sent."""
    closes: bool = False
    """Once that is sent, the connection ends."""


class NullServer:
    """Serves one listening socket until its channel closes or says something, then sends Totals on it."""

    def __init__(
        self, listener: socket.socket, channel: "Connection[Any, Any]", answers: Answers, tls: ssl.SSLContext | None
    ) -> None:
        self._listener, self._channel, self._answers, self._tls = listener, channel, answers, tls
        self._clients: dict[int, _Client] = {}
        self._requests = self._body_bytes = 0
        self._accepting = True
        self._epoll = select.epoll()
        self._epoll.register(listener, _READABLE)
        self._epoll.register(channel.fileno(), _READABLE)
        self._send = self._send_plain if tls is None else self._send_tls

    def run(self) -> None:
        """Serve."""
        listening, ending = self._listener.fileno(), self._channel.fileno()
        clients = self._clients
        while True:
            for descriptor, event in self._epoll.poll(-1, 256):
                client = clients.get(descriptor)
                if client is not None:
                    self._turn(client, event)
                elif descriptor == listening:
                    self._accept()
                elif descriptor == ending:
                    self._channel.recv_bytes()
                    self._channel.send(Totals(self._requests, self._body_bytes))
                    return

    def _turn(self, client: _Client, event: int) -> None:
        try:
            if event & _WRITABLE and client.waiting:
                self._flush(client)
            elif event & ~_WRITABLE:
                self._receive(client)
        except _WOULD_BLOCK:
            return
        except OSError:
            self._drop(client)  # The client is gone; there is nobody to tell.

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    # No descriptor is left: go on accepting when a client leaves.
                    self._epoll.unregister(self._listener)
                    self._accepting = False
                    return
                if error.errno == errno.ECONNABORTED:
                    continue
                raise
            self._welcome(accepted)

    def _welcome(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            accepted = self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._clients[accepted.fileno()] = _Client(accepted)
        self._epoll.register(accepted, _READABLE)

    def _receive(self, client: _Client) -> None:
        """Take what is there and answer it. An encrypted connection may hold more than the kernel knows of."""
        while True:
            data = client.socket.recv(_RECEIVE_BYTES)
            if not data:
                self._drop(client)
                return
            self._answer(client, client.unread + data if client.unread else data)
            if self._tls is None or client.waiting or client.socket.fileno() < 0:
                return

    def _answer(self, client: _Client, data: bytes) -> None:
        """Answer all whole heads in ``data``."""
        start, of = 0, self._answers.of
        while (end := data.find(_END_OF_HEAD, start)) >= 0:
            answer = of(data[start : end + 2])
            start = end + 4
            self._requests += 1
            self._body_bytes += answer.body_bytes
            self._queue(client, answer)
            if answer.closes:
                client.closes = True
                break
        client.unread = data[start:]
        if len(client.unread) > _HEAD_LIMIT_BYTES:
            client.closes = True
        if client.waiting or client.closes:
            self._flush(client, was_reading=True)

    def _queue(self, client: _Client, answer: Answer) -> None:
        """Send a short answer at once where nothing waits before it; else let it wait."""
        start = answer.start
        if not client.waiting and not answer.rest:
            try:
                sent = client.socket.send(start)
            except _WOULD_BLOCK:
                sent = 0
            if sent == len(start):
                return
            client.waiting.append(memoryview(start)[sent:])
            return
        client.waiting.append(memoryview(start))
        client.waiting.extend(answer.rest)

    def _flush(self, client: _Client, was_reading: bool = False) -> None:
        """Send what the socket takes; then wait for it, or for the next request."""
        waiting = client.waiting
        try:
            while waiting:
                self._send(client)
        except _WOULD_BLOCK:
            if was_reading:
                self._epoll.modify(client.socket, _WRITABLE)
            return
        if client.closes:
            self._drop(client)
        elif not was_reading:
            self._epoll.modify(client.socket, _READABLE)
            if self._tls is not None:
                self._receive(client)

    @staticmethod
    def _send_plain(client: _Client) -> None:
        waiting = client.waiting
        batch = [waiting.popleft() for _ in range(min(len(waiting), _VIEWS_A_CALL))]
        sent, at = 0, 0
        try:
            sent = client.socket.sendmsg(batch)
            while at < len(batch) and sent >= len(batch[at]):
                sent -= len(batch[at])
                at += 1
        finally:
            if at < len(batch):
                batch[at] = batch[at][sent:]
                waiting.extendleft(reversed(batch[at:]))

    @staticmethod
    def _send_tls(client: _Client) -> None:
        waiting = client.waiting
        sent = client.socket.send(waiting[0])
        if sent == len(waiting[0]):
            waiting.popleft()
        else:
            waiting[0] = waiting[0][sent:]

    def _drop(self, client: _Client) -> None:
        descriptor = client.socket.fileno()
        if descriptor < 0:
            return
        del self._clients[descriptor]
        self._epoll.unregister(descriptor)
        client.socket.close()
        client.waiting.clear()
        if not self._accepting:
            self._epoll.register(self._listener, _READABLE)
            self._accepting = True
