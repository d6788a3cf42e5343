# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's Shared Key: an HMAC of each request with the account's key, prepared as far as it can be.

Of a GET of a whole blob only its name is new: what comes before it in the text to sign is hashed already, and so are
the key's two blocks. The scheme is described in the Azure Storage documentation, "Authorize with Shared Key".
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from dl_driver.errors import StorageError
from dl_driver.storage.sigv4 import quote_key, range_headers

VERSION = "2021-12-02"
"""Of Azure's interface."""
_FRESH_S = 30.0
_BLOCK = 64
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))
_AGENT = "User-Agent: dl-driver\r\n"
_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip
"""The headers whose values are signed without their names, in this order."""


def decode_key(account: str, key: str) -> bytes:
    """An account's key from its text. Raises StorageError, which does not quote it."""
    try:
        return base64.b64decode(key.strip(), validate=True)
    except binascii.Error:
        raise StorageError(
            f"the key of the Azure account {account} is no Base64: copy it whole from the account's access keys"
            " (AZURE_STORAGE_ACCOUNT_KEY, AZURE_BLOB_KEY or storage.storage_options.secret_access_key)"
        ) from None


class SharedKeyRequests:
    """See Requests."""

    def __init__(self, authority: str, path: str, account: str, key: bytes) -> None:
        """``key``: decoded."""
        self._authority, self._path, self._account = authority, path, account
        block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._keyed, self._outer = hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))
        self._fresh_until = 0.0

    def get(self, key: str, first: int | None, last: int | None, etag: str | None) -> bytes:
        """See Requests."""
        if time.monotonic() >= self._fresh_until:
            self._renew()
        name = quote_key(key)
        if first is None and etag is None:
            inner, extra, signed = self._whole.copy(), "", name
        else:
            inner, extra = self._keyed.copy(), range_headers(first, last, etag)
            asked = "" if first is None else f"bytes={first}-{last}"
            signed = f"GET\n\n\n\n\n\n\n\n{etag or ''}\n\n\n{asked}\n{self._end_of_text}{name}"
        inner.update(signed.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        signature = binascii.b2a_base64(outer.digest(), newline=False).decode()
        return f"GET {self._path}{name}{self._headers}{signature}\r\n{extra}\r\n".encode()

    def _renew(self) -> None:
        date = formatdate(usegmt=True)
        self._end_of_text = f"x-ms-date:{date}\nx-ms-version:{VERSION}\n/{self._account}{self._path}"
        self._whole = self._keyed.copy()
        self._whole.update(f"GET{12 * chr(10)}{self._end_of_text}".encode())
        self._headers = (
            f" HTTP/1.1\r\nHost: {self._authority}\r\n{_AGENT}x-ms-date: {date}\r\nx-ms-version: {VERSION}\r\n"
            f"Authorization: SharedKey {self._account}:"
        )
        self._fresh_until = time.monotonic() + _FRESH_S


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Signs any request of an account."""

    account: str
    key: bytes = field(repr=False)
    """Decoded."""

    def header(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        """The Authorization header. ``path`` is encoded, ``query`` is not; the headers hold the date."""
        lowered = {name.lower(): value for name, value in headers.items()}
        if lowered.get("content-length") == "0":
            del lowered["content-length"]
        lines = [method, *(lowered.get(name, "") for name in _SIGNED)]
        lines += [f"{name}:{lowered[name]}" for name in sorted(lowered) if name.startswith("x-ms-")]
        lines += [f"/{self.account}{path}", *(f"{name}:{query[name]}" for name in sorted(query))]
        digest = hmac.digest(self.key, "\n".join(lines).encode(), "sha256")
        return f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
