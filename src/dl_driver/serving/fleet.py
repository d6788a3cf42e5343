# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several processes that serve one port: each listens for itself, and the kernel spreads connections over them."""

import resource
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from dl_driver.config import Workload
from dl_driver.dataset.files import ComputedFiles, evaluation_files, training_files
from dl_driver.errors import DlDriverError, RunError
from dl_driver.processes import WorkerProcess
from dl_driver.serving.answers import Answers
from dl_driver.serving.wire import NullServer, Totals

_BACKLOG = 4096


class ServeError(DlDriverError):
    """The server cannot be started."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to serve, and how."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: a free one."""
    tls_cert: str | None = None
    """PEM file of the certificate and those that vouch for it; None: plain HTTP."""
    tls_key: str | None = None


class Fleet:
    """The running processes."""

    def __init__(self, address: Address, port: int, processes: Sequence[WorkerProcess]) -> None:
        scheme = "http" if address.tls_cert is None else "https"
        self.url = f"{scheme}://{address.host}:{port}"
        self._processes = processes

    def wait(self) -> None:
        """Until one of them ends, which they do not by themselves. Raises RunError."""
        from multiprocessing.connection import wait

        wait([process.channel for process in self._processes])
        raise RunError(f"a process of the server at {self.url} ended")

    def stop(self) -> Totals:
        """End them all; what they answered."""
        for process in self._processes:
            process.channel.send_bytes(b"")
        return sum((process.channel.recv() for process in self._processes), Totals())


@contextmanager
def serving(workload: Workload, address: Address, processes: int = 1) -> Iterator[Fleet]:
    """The workload's objects on one port. Raises ServeError where the port or the certificate cannot be used."""
    splits = (training_files(workload), evaluation_files(workload))
    if address.tls_cert is not None:
        _tls_context(address)
    _check_free(address)
    with ExitStack() as stack:
        # Held without listening, so that the port stays ours while the processes start.
        reserved = stack.enter_context(_bound(address))
        port = reserved.getsockname()[1]
        where = Address(address.host, port, address.tls_cert, address.tls_key)
        started = [
            stack.enter_context(WorkerProcess("dl_driver.serving.fleet:serve_part", (where, splits)))
            for _ in range(processes)
        ]
        for process in started:
            process.channel.recv()
        yield Fleet(address, port, started)


def serve_part(channel: "Connection[Any, Any]", payload: tuple[Address, tuple[ComputedFiles, ...]]) -> None:
    """One process of the fleet."""
    address, splits = payload
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _bound(address) as listener:
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        tls = None if address.tls_cert is None else _tls_context(address)
        server = NullServer(listener, channel, Answers(splits), tls)
        channel.send("listening")
        server.run()


def _check_free(address: Address) -> None:
    """Raises ServeError where somebody listens there, with whom SO_REUSEPORT would silently share the port."""
    if address.port:
        _bound(address, shared=False).close()


def _bound(address: Address, *, shared: bool = True) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise ServeError(
            f"cannot serve on {address.host}:{address.port}: {error.strerror}; choose another --port (0: a free one)"
        ) from error
    return bound


def _tls_context(address: Address) -> ssl.SSLContext:
    assert address.tls_cert is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(address.tls_cert, address.tls_key)
    except (OSError, ssl.SSLError) as error:
        key = address.tls_key or address.tls_cert
        raise ServeError(
            f"cannot use the certificate {address.tls_cert} with the key {key}: {error}; expected PEM files that match"
        ) from error
    return context
