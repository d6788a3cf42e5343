# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain requests to a test server, past any proxy that the environment names."""

import socket
import urllib.error
import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str, *, below: int = 600) -> bool:
    """Whether a server answers a GET with a status below ``below``."""
    try:
        with _opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < below
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Whether somebody on 127.0.0.1 takes connections at a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def call(request: urllib.request.Request) -> bytes:
    """The answer's body. Raises urllib.error.HTTPError for a status of 400 or more."""
    with _opener.open(request, timeout=10) as response:
        return bytes(response.read())
