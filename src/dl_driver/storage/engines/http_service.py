# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the HTTP engine must be told of an object store: where it is, how a request looks, what an answer means.

The engine knows HTTP alone. A service knows its provider's signatures and error codes, and the general client that does
whatever the engine leaves.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

from dl_driver.errors import StorageError
from dl_driver.storage.redaction import redacted

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server by name."""

    url: str
    """For messages."""
    host: str
    port: int
    tls: bool
    authority: str
    """The Host header's value: the name, and the port where it is not the scheme's own."""
    path: str
    """What comes before a key: ``/bucket/prefix/``; percent-encoded."""


def parse_endpoint(url: str, path: str, *, host_prefix: str = "") -> Endpoint:
    """An endpoint from ``http[s]://host[:port]``; raises StorageError. ``host_prefix`` goes before its name."""
    if "://" not in url:
        shown = redacted(f"://{url}").removeprefix("://")
        raise StorageError(
            f"the endpoint {shown} does not say how it is talked to: write http://{shown} or, with TLS,"
            f" https://{shown} (storage.storage_options.endpoint_url, or the provider's variable)"
        )
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise StorageError(f"the endpoint {redacted(url)}: {error}; expected http://host:port") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise StorageError(
            f"the endpoint {parts.scheme}://{parts.hostname or ''} is no address of a server: expected"
            " http://host:port or https://host:port, without a user or a password"
        )
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise StorageError(f"the endpoint {url}: {error}; expected a port from 1 to 65535") from error
    host = host_prefix + parts.hostname
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    whole = parts.path.rstrip("/") + path
    return Endpoint(f"{parts.scheme}://{authority}", host, port, parts.scheme == "https", authority, whole)


class Requests(Protocol):
    """Makes the requests to one endpoint. Hot: called for every read."""

    def get(self, key: str, first: int | None, last: int | None, etag: str | None) -> bytes:
        """The bytes of a GET of bytes first to last (inclusive) of an object, or of all of it where first is None;
        with ``etag``, only if the object is still that one."""
        ...


class Judgement(Enum):
    """What an answer that is no plain success means."""

    RETRY = "retry"
    """Something passing: make the request again."""
    SLOW_DOWN = "slow down"
    """The server is overloaded: make the request again, and wait longer before."""
    HAND_OVER = "hand over"
    """The general client knows better."""
    FAIL = "fail"
    """It would fail again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement and its reason."""

    judgement: Judgement
    reason: str
    """For the user: what the server said and the way out."""
    kind: type[StorageError] = StorageError


class Service(Protocol):
    """One object store as the engine sees it."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every one can serve every read."""
        ...

    def name(self, key: str) -> str:
        """An object's URI, for messages."""
        ...

    def requests(self, endpoint: Endpoint) -> Requests:
        """The maker of an endpoint's requests, for one thread."""
        ...

    def judge(self, status: int, body: bytes) -> Verdict:
        """What an answer with this status and body (its beginning) means."""
        ...

    def tls_context(self) -> ssl.SSLContext:
        """For endpoints with TLS; raises StorageError where the authorities' file cannot be read."""
        ...

    def read(self, key: str, offset: int, into: memoryview) -> int:
        """The general client's way to read: bytes that arrived, fewer than there is room only where the object ends.
        Blocks; called from several threads. Raises StorageError."""
        ...
