# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the object stores share: a bucket and a prefix, the HTTP engine for reads, obstore for all else.

A provider's file says where its endpoints are, how its requests are signed and what its errors mean.
"""

import itertools
import os
import ssl
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.storage.base import ObjectInfo, Piece, ReadQueue, StorageSettings
from dl_driver.storage.client_failures import status_in, unreachable
from dl_driver.storage.engines.greeting import Greeting, greeted
from dl_driver.storage.engines.handover import HandoverQueue
from dl_driver.storage.engines.http import HttpQueue
from dl_driver.storage.engines.http_sender import Message, Sender
from dl_driver.storage.engines.http_service import Endpoint, Requests, Verdict
from dl_driver.storage.engines.tls_probe import tls_trouble
from dl_driver.storage.failures import Failures
from dl_driver.storage.redaction import redacted

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore

_LIST_CHUNK = 1000
_CHUNK_BYTES = 1 << 20
_TOKEN_S = 120
_REFUSALS = (400, 401, 403)


class CloudStorage(ABC):
    """Base of the object stores; a Storage and, for the HTTP engine, a Service. Holds nothing until used."""

    alignment = 1
    in_process = False
    remote = True

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        self.uri, self.settings = uri, settings
        self.options = settings.options

    def __getstate__(self) -> tuple[str, StorageSettings]:
        return self.uri, self.settings

    def __setstate__(self, state: tuple[str, StorageSettings]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    @abstractmethod
    def prefix(self) -> str:
        """Keys are relative to this; empty, or with a slash at its end."""

    @property
    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """See Service; their paths hold the prefix."""

    @abstractmethod
    def requests(self, endpoint: Endpoint) -> Requests:
        """See Service."""

    @property
    @abstractmethod
    def failures(self) -> Failures:
        """What the provider's refusals mean."""

    def judge(self, status: int, body: bytes) -> Verdict:
        """See Service."""
        return self.failures.judge(status, body)

    @abstractmethod
    def make_client(self, endpoint: Endpoint, client_options: "ClientConfig") -> "ObjectStore":
        """The general client for the bucket (not the prefix) at one endpoint."""

    @property
    def ca_file(self) -> str | None:
        """The authorities to trust in place of the system's."""
        return self.options.ca_file

    def name(self, key: str) -> str:
        """See Service."""
        return f"{self.uri.rstrip('/')}/{key}"

    def open_reader(self, depth: int, watch: int | None = None, memory: memoryview | None = None) -> ReadQueue:
        """See Storage. Where a proxy stands between, the general client reads."""
        if any(_behind_proxy(endpoint) for endpoint in self.endpoints):
            return HandoverQueue(self, depth, watch)
        return HttpQueue(self, depth, self.options, watch)

    def tls_context(self) -> ssl.SSLContext:
        """See Service."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise StorageError(
                f"the authorities' certificates in {self.ca_file} cannot be used ({error.strerror or error}): expected"
                " a file with certificates in PEM form (storage.storage_options.ca_file or AWS_CA_BUNDLE)"
            ) from error
        context.set_alpn_protocols(["http/1.1"])
        return context

    @property
    def write_endpoint(self) -> Endpoint:
        """Where this process asks for what one endpoint tells; several processes spread over several."""
        endpoints = self.endpoints
        return endpoints[os.getpid() % len(endpoints)]

    @cached_property
    def client(self) -> "ObjectStore":
        """The general client."""
        return self.make_client(self.write_endpoint, self._client_options())

    def read(self, key: str, offset: int, into: memoryview) -> int:
        """See Service."""
        import obstore

        with self._naming(key, "read"):
            try:
                answer = obstore.get(self.client, self.prefix + key, options={"range": (offset, offset + len(into))})
            except obstore.exceptions.GenericError:
                # Perhaps the range lies beyond the object's end, which stores call an error.
                if obstore.head(self.client, self.prefix + key)["size"] <= offset:
                    return 0
                raise
            at = 0
            for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
                count = min(len(chunk), len(into) - at)
                into[at : at + count] = memoryview(chunk)[:count]
                at += count
            return at

    def stat(self, key: str) -> ObjectInfo:
        """See Storage."""
        import obstore

        with self._naming(key, "find"):
            try:
                return ObjectInfo(key, obstore.head(self.client, self.prefix + key)["size"])
            except (obstore.exceptions.BaseError, OSError) as error:
                if self._is_silent_refusal(str(error)):
                    self._ask_why("find", key)
                raise

    def _is_silent_refusal(self, text: str) -> bool:
        """Whether an error tells of a refusal to a HEAD, whose answer has no body that could give the reason."""
        return status_in(text) in _REFUSALS or self.failures.code_of(text) in self.failures.elsewhere

    def _ask_why(self, operation: str, key: str) -> None:
        """Ask for the object's first byte. Raises StorageError with the server's own reason, if it refuses that too."""
        endpoint = self.write_endpoint
        line, *fields = self.requests(endpoint).get(key, 0, 0, None).decode("latin-1").split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields if field)
        with self._sending(operation, key):
            sender = Sender(self, endpoint, self.options.limits)
            try:
                sender.send(Message("GET", line.split(" ")[1], lambda: headers), attempts=1)
            finally:
                sender.close()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See Storage: streamed, a page at a time."""
        import obstore

        start = len(self.prefix)
        with self._naming(prefix, "list"):
            for page in obstore.list(self.client, f"{self.prefix}{prefix}" or None, chunk_size=_LIST_CHUNK):
                for meta in page:
                    yield ObjectInfo(meta["path"][start:], meta["size"])

    def put(self, key: str, pieces: Iterable[Piece], *, durable: bool = False) -> int:
        """See Storage; a store's answer means that the object is durable. Several endpoints take turns."""
        return next(self._writers).write(key, pieces)

    @abstractmethod
    def write(self, key: str, pieces: Iterable[Piece]) -> int:
        """Write an object at ``write_endpoint``; its size."""

    @cached_property
    def _writers(self) -> "Iterator[CloudStorage]":
        """This store as each of its endpoints shows it, in turn, beginning with this process's own."""
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return itertools.repeat(self)
        first = os.getpid() % len(endpoints)
        return itertools.cycle([self._at(endpoint) for endpoint in (*endpoints[first:], *endpoints[:first])])

    def _at(self, endpoint: Endpoint) -> "CloudStorage":
        """The same store with one endpoint alone."""
        other = type(self)(self.uri, self.settings)
        vars(other)["endpoints"] = [endpoint]
        return other

    def greet(self) -> Iterator[Greeting]:
        """Ask each endpoint for anything at all. Raises UnreachableError for one that does not answer."""
        for endpoint in self.endpoints:
            yield greeted(self, endpoint, self.options.limits)

    def delete(self, keys: Iterable[str]) -> None:
        """See Storage."""
        import obstore

        keys = [self.prefix + key for key in keys]
        with self._naming("", "delete objects in"):
            try:
                if keys:
                    obstore.delete(self.client, keys)
            except FileNotFoundError:
                return

    def _client_options(self) -> "ClientConfig":
        options: ClientConfig = {
            "allow_http": True,
            "connect_timeout": timedelta(seconds=self.options.limits.connect_s),
            "read_timeout": timedelta(seconds=self.options.limits.first_byte_s),
            # Of a whole answer: a large object takes its time, and the two above find what stands still.
            "timeout": timedelta(hours=24),
            "user_agent": "dl-driver",
        }
        if self.ca_file:
            self.tls_context()
            with open(self.ca_file, "rb") as file:
                options["root_certificate"] = file.read()
        return options

    @contextmanager
    def _naming(self, key: str, operation: str) -> Iterator[None]:
        """Turn the general client's errors into ours, which name the object, the reason and the way out."""
        import obstore.exceptions

        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(
                self._message(operation, key, self.failures.explain(404, redacted(str(error))))
            ) from error
        except (obstore.exceptions.BaseError, ValueError, OSError) as error:
            text = redacted(str(error))
            if reason := unreachable(text):
                if trouble := tls_trouble(self, self.write_endpoint):
                    raise StorageError(self._message(operation, key, trouble)) from error
                reason = f"{self.write_endpoint.url}: {reason}"
                raise UnreachableError(self._message(operation, key, reason)) from error
            raise StorageError(self._message(operation, key, self.failures.explain(status_in(text), text))) from error

    @contextmanager
    def _sending(self, operation: str, key: str) -> Iterator[None]:
        """Name the object in the errors of a request of ours."""
        try:
            yield
        except StorageError as error:
            raise type(error)(self._message(operation, key, str(error))) from error

    def _message(self, operation: str, key: str, reason: str) -> str:
        return f"cannot {operation} {self.name(key) if key else self.uri}: {reason}"


def _behind_proxy(endpoint: Endpoint) -> bool:
    proxies = urllib.request.getproxies()
    scheme = "https" if endpoint.tls else "http"
    used = scheme in proxies or "all" in proxies
    return used and not urllib.request.proxy_bypass(endpoint.host)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket (or container) and prefix of ``scheme://bucket/prefix``; the prefix is empty or ends with a slash."""
    rest = uri.partition("://")[2]
    bucket, _, prefix = rest.partition("/")
    prefix = urllib.parse.unquote(prefix.strip("/"))
    return bucket, f"{prefix}/" if prefix else ""


def first_variable(*names: str) -> str | None:
    """The first of these environment variables that is set and not empty."""
    return next((value for name in names if (value := os.environ.get(name))), None)


def soon() -> datetime:
    """When a token shall be asked for again whose holder renews it in time."""
    return datetime.now(UTC) + timedelta(seconds=_TOKEN_S)


def is_true(text: str | None) -> bool:
    """Whether an environment variable says yes."""
    return (text or "").strip().lower() in ("1", "true", "yes", "on")
