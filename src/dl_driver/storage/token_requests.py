# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests whose proof does not depend on the object: a token in a header or in the address, or none at all."""

import time
from collections.abc import Callable

from dl_driver.storage.sigv4 import quote_key, range_headers

_FRESH_S = 30.0
_AGENT = "User-Agent: dl-driver\r\n"


class TokenRequests:
    """See Requests."""

    def __init__(self, authority: str, path: str, headers: Callable[[], str], query: Callable[[], str] = str) -> None:
        """``headers``: header lines, each with its end; ``query``: empty, or what stands behind the question mark.
        Both are asked from time to time, since tokens expire."""
        self._authority, self._headers, self._query = authority, headers, query
        self._start = f"GET {path}"
        self._fresh_until = 0.0

    def get(self, key: str, first: int | None, last: int | None, etag: str | None) -> bytes:
        """See Requests."""
        if time.monotonic() >= self._fresh_until:
            self._renew()
        extra = "" if first is None and etag is None else range_headers(first, last, etag)
        return f"{self._start}{quote_key(key)}{self._end}{extra}\r\n".encode()

    def _renew(self) -> None:
        query = self._query()
        self._end = f"{'?' if query else ''}{query} HTTP/1.1\r\nHost: {self._authority}\r\n{_AGENT}{self._headers()}"
        self._fresh_until = time.monotonic() + _FRESH_S
