# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that write, one at a time on a connection of the calling thread, made again while that may help."""

import contextlib
import http.client
import random
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from dl_driver.errors import StorageError, UnreachableError
from dl_driver.storage.engines.http_connection import CHECK_THE_NAME
from dl_driver.storage.engines.http_exchange import describe
from dl_driver.storage.engines.http_service import Endpoint, Judgement, Service
from dl_driver.storage.engines.retry import jittered_delay_ns
from dl_driver.storage.engines.tls_probe import tls_trouble
from dl_driver.storage.options import Limits


class Message(NamedTuple):
    """A request."""

    method: str
    target: str
    """Path and query, encoded."""
    headers: Callable[[], Mapping[str, str]]
    """Asked before each attempt, since signatures hold the time."""
    body: bytes | Callable[[], Iterable[bytes]] = b""
    """The bytes, or what makes them anew for each attempt; the headers then say their length."""


class Reply(NamedTuple):
    """A success."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Sender:
    """Sends to one endpoint; can be used by several threads."""

    def __init__(self, service: Service, endpoint: Endpoint, limits: Limits) -> None:
        self._service, self._endpoint, self._limits = service, endpoint, limits
        self._own = threading.local()  # each thread's connection
        self._tls: ssl.SSLContext | None = service.tls_context() if endpoint.tls else None
        self._random = random.Random()

    def send(self, message: Message, *, attempts: int | None = None, accept: tuple[int, ...] = ()) -> Reply:
        """The answer, if its status is a success or one of ``accept``. Raises StorageError, of the kind that the
        service's judgement names, or UnreachableError after so many attempts."""
        attempts = attempts or self._limits.attempts
        for attempt in range(1, attempts + 1):
            slow = False
            try:
                reply = self._once(message)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                reason = _reason(error)
            else:
                if reply.status < 300 or reply.status in accept:
                    return reply
                verdict = self._service.judge(reply.status, reply.body)
                reason, slow = verdict.reason, verdict.judgement is Judgement.SLOW_DOWN
                if verdict.judgement in (Judgement.FAIL, Judgement.HAND_OVER):
                    raise verdict.kind(f"{message.method} at {self._endpoint.url}: {reason}")
            if attempt < attempts:
                time.sleep(jittered_delay_ns(attempt, self._random, slow=slow) / 1e9)
        count = f"{attempts} attempts" if attempts > 1 else "its only attempt"
        if trouble := tls_trouble(self._service, self._endpoint):
            raise StorageError(f"{message.method}: {trouble}")
        raise UnreachableError(f"{message.method} at {self._endpoint.url}: {count} failed, the last one: {reason}")

    def close(self) -> None:
        """Close the calling thread's connection."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def _once(self, message: Message) -> Reply:
        kept = getattr(self._own, "connection", None)
        if kept is not None:
            # The server may have closed it meanwhile, which is no failure.
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                return self._exchange(kept, message)
            kept.close()
        self._own.connection = self._connect()
        return self._exchange(self._own.connection, message)

    def _exchange(self, connection: http.client.HTTPConnection, message: Message) -> Reply:
        headers = {"Host": self._endpoint.authority, "User-Agent": "dl-driver", **message.headers()}
        body = message.body if isinstance(message.body, bytes) else message.body()
        connection.request(message.method, message.target, body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._endpoint.host, self._endpoint.port, self._limits.first_byte_s
        proxy = _proxy_of(self._endpoint)
        at = proxy or (host, port)
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(*at, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(*at, timeout=timeout, context=self._tls)
        if proxy:
            connection.set_tunnel(host, port)
        connection.connect()
        return connection


def _proxy_of(endpoint: Endpoint) -> tuple[str, int] | None:
    proxies = urllib.request.getproxies()
    found = proxies.get("https" if endpoint.tls else "http") or proxies.get("all")
    if not found or urllib.request.proxy_bypass(endpoint.host):
        return None
    parts = urlsplit(found)
    if not parts.hostname:
        raise StorageError(f"the proxy that the environment names for {endpoint.url} is no http://host:port")
    return parts.hostname, parts.port or 80


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({error.strerror}): {CHECK_THE_NAME}"
    if isinstance(error, TimeoutError):
        return "no answer in time (storage.storage_options.first_byte_timeout)"
    if isinstance(error, OSError):
        return describe(error)[1]
    return f"the answer is no HTTP ({type(error).__name__})"
