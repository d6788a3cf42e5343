# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections of the HTTP engine: which address the next one goes to, and how one comes to stand.

A name may stand for several addresses, and a store for several endpoints: each new connection goes where there are
fewest, and not where one just failed, as long as there is a choice.
"""

import random
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dl_driver.errors import UnreachableError
from dl_driver.storage.engines.http_job import Job
from dl_driver.storage.engines.http_service import Endpoint, Requests, Service

CHECK_THE_NAME = (
    "check storage.storage_options.endpoint_url, with Azure the account's name, and this machine's name service"
)
"""What to do about a name that cannot be resolved."""
_BLOCKED_NS = 2_000_000_000
TRY_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
)
_EXPIRED, _WRONG_NAME = 10, 62

Handler = Callable[["Connection", int], None]


@dataclass(slots=True)
class Place:
    """One address of one endpoint."""

    endpoint: Endpoint
    family: int
    address: Any
    requests: Requests
    connections: int = 0
    """Open now."""
    blocked_until_ns: int = 0


class Connection:
    """One keep-alive connection: at any time it connects, is idle, or serves one job."""

    __slots__ = (
        "at", "connecting", "end", "excess", "failed_head", "fresh", "get", "handler", "job", "keeps", "limit_ns",
        "number", "partial", "place", "raw_head", "recv_into", "send", "sent_ns", "since_ns", "socket", "tls",
        "unsent", "view",
    )  # fmt: skip

    def __init__(self, place: Place, handler: Handler, now: int, limit_ns: int, tls: ssl.SSLContext | None) -> None:
        """Begins to connect; raises OSError where that fails at once."""
        plain = socket.socket(place.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.socket: socket.socket | ssl.SSLSocket = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            error = plain.connect_ex(place.address)
            if error not in (0, 115):  # EINPROGRESS
                raise OSError(error, "")
            if tls is not None:
                self.socket = tls.wrap_socket(plain, server_hostname=place.endpoint.host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        self.place, self.tls = place, tls is not None
        self.number = self.socket.fileno()
        self.handler = handler
        self.get = place.requests.get
        self.recv_into, self.send = self.socket.recv_into, self.socket.send
        self.since_ns, self.limit_ns = now, limit_ns
        """When something last happened, and how long nothing may happen; 0: for ever."""
        self.sent_ns = now
        """When the request went out."""
        self.job: Job | None = None
        self.connecting = True
        """It does not stand yet."""
        self.fresh = True
        """No answer came on it yet."""
        self.partial = self.unsent = b""
        """The beginning of a head; the end of a request."""
        self.raw_head = b""
        """Of the answer that is being received; empty before it begins."""
        self.keeps = True
        """The server leaves the connection open after this answer."""
        self.failed_head = False
        """The answer is no success: its body goes to ``view`` for the message."""
        self.excess = False
        """More body comes than is wanted: the connection cannot be used again."""
        self.view: memoryview | None = None
        self.at = self.end = 0
        """The body's next byte and its end in ``view``."""
        place.connections += 1

    def handshake(self) -> bool | None:
        """Go on with TLS: True when done, None to wait until it can be written to, False until it can be read from.
        Raises OSError."""
        assert isinstance(self.socket, ssl.SSLSocket)
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            return None
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        self.place.connections -= 1
        self.socket.close()


class Places:
    """Every address of every endpoint."""

    def __init__(self, service: Service) -> None:
        """Raises UnreachableError for a name that cannot be resolved."""
        self._places: list[Place] = []
        for endpoint in service.endpoints:
            requests = service.requests(endpoint)
            self._places += [Place(endpoint, family, where, requests) for family, where in _resolve(endpoint)]
        random.shuffle(self._places)

    def choose(self, now: int) -> Place:
        """Where the next connection goes."""
        return min(self._places, key=lambda place: (place.blocked_until_ns > now, place.connections))

    def failed(self, place: Place, now: int) -> None:
        """A connection there did not come to stand."""
        place.blocked_until_ns = now + _BLOCKED_NS


def _resolve(endpoint: Endpoint) -> Sequence[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, socket.gaierror) else "it is no valid name"
        raise UnreachableError(
            f"the name {endpoint.host} of the endpoint {endpoint.url} cannot be resolved ({why}): {CHECK_THE_NAME}"
        ) from error
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))


def tls_refusal(error: OSError, endpoint: Endpoint) -> str | None:
    """Why a handshake will never succeed, with the way out; None for an error that may pass."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return f"the certificate of {endpoint.url} has expired: renew it, and check this machine's clock"
        if error.verify_code == _WRONG_NAME:
            return f"the certificate of {endpoint.url} is for another name ({error.verify_message})"
        return (
            f"the certificate of {endpoint.url} is not trusted ({error.verify_message}): give the authority's"
            " certificate with storage.storage_options.ca_file or AWS_CA_BUNDLE"
        )
    if isinstance(error, ssl.SSLError) and (error.reason or "") in _NOT_TLS:
        return f"{endpoint.url} does not speak TLS: write http:// in the endpoint, or give its TLS port"
    return None
