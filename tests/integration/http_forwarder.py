# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forward proxy as companies have them, for tests: whatever is asked for, it passes on to one server."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Forwarder(socketserver.ThreadingTCPServer):
    """Tunnels (CONNECT) and plain requests alike end at the server behind; counts them."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, behind: tuple[str, int]) -> None:
        self.behind = behind
        self.requests = 0
        self.methods: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Forwarder)
        head = b""
        while b"\r\n\r\n" not in head:
            block = self.request.recv(65536)
            if not block:
                return
            head += block
        method, target, rest = head.split(b" ", 2)
        server.requests += 1
        server.methods.add(method.decode())
        with socket.create_connection(server.behind) as behind:
            if method == b"CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # One request a connection, so that the next one is seen here as well.
                parts = urlsplit(target.decode())
                path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}".encode()
                line, _, fields = rest.partition(b"\r\n")
                behind.sendall(b"%s %s %s\r\nConnection: close\r\n%s" % (method, path, line, fields))
            back = threading.Thread(target=_copy, args=(behind, self.request))
            back.start()
            _copy(self.request, behind)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def forwarder(server_url: str) -> Iterator[Forwarder]:
    """A running one in front of an ``http://`` server."""
    parts = urlsplit(server_url)
    with Forwarder((parts.hostname or "", parts.port or 80)) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
