# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Signature Version 4 for GET requests, prepared as far as it can be.

The key derived from the secret is good for a day, the date for minutes; what is left for a request is one hash of its
path and one HMAC, whose key's blocks were hashed before. The Range header is not signed, as the scheme allows. The
scheme is described in the Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

_FRESH_S = 30.0
_UNSIGNED = "UNSIGNED-PAYLOAD"
_SPECIAL = re.compile(r"[^A-Za-z0-9_.~/-]").search
_BLOCK = 64
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))
_AGENT = "User-Agent: dl-driver\r\n"
_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Who asks. Its text shows no secret."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def range_headers(first: int | None, last: int | None, etag: str | None) -> str:
    """The header lines that ask for a part of an object, or of one version of it."""
    text = "" if first is None else f"Range: bytes={first}-{last}\r\n"
    return f"{text}If-Match: {etag}\r\n" if etag else text


def quote_key(key: str) -> str:
    """A key as a request's path holds it, and as S3 signs it."""
    return quote(key, safe="/~") if _SPECIAL(key) else key


class PlainRequests:
    """Requests without a signature."""

    def __init__(self, authority: str, path: str) -> None:
        self._start = f"GET {path}"
        self._end = f" HTTP/1.1\r\nHost: {authority}\r\n{_AGENT}"

    def get(self, key: str, first: int | None, last: int | None, etag: str | None) -> bytes:
        """See Requests."""
        return f"{self._start}{quote_key(key)}{self._end}{range_headers(first, last, etag)}\r\n".encode()


class SignedRequests:
    """See Requests."""

    def __init__(
        self, authority: str, path: str, region: str, credentials: Callable[[], AwsCredentials], service: str = "s3"
    ) -> None:
        """``credentials`` is asked from time to time, since some expire."""
        self._authority, self._region, self._service = authority, region, service
        self._credentials = credentials
        self._start, self._canonical = f"GET {path}", f"GET\n{path}"
        self._fresh_until = 0.0

    def get(self, key: str, first: int | None, last: int | None, etag: str | None) -> bytes:
        """See Requests."""
        if time.monotonic() >= self._fresh_until:
            self._renew()
        path = quote(key, safe="/~") if _SPECIAL(key) else key
        digest = _sha256(f"{self._canonical}{path}{self._signed_headers}".encode()).hexdigest()
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(digest.encode())
        outer.update(inner.digest())
        extra = "" if first is None and etag is None else range_headers(first, last, etag)
        return f"{self._start}{path}{self._headers}{outer.hexdigest()}\r\n{extra}\r\n".encode()

    def _renew(self) -> None:
        now = time.gmtime()
        day, stamp = time.strftime("%Y%m%d", now), time.strftime("%Y%m%dT%H%M%SZ", now)
        credentials = self._credentials()
        key = signing_key(credentials.secret_access_key, day, self._region, self._service).ljust(_BLOCK, b"\0")
        self._inner, self._outer = hashlib.sha256(key.translate(_INNER)), hashlib.sha256(key.translate(_OUTER))
        token = credentials.session_token
        names = "host;x-amz-content-sha256;x-amz-date" + (";x-amz-security-token" if token else "")
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        self._signed_headers = (
            f"\n\nhost:{self._authority}\nx-amz-content-sha256:{_UNSIGNED}\nx-amz-date:{stamp}\n"
            + (f"x-amz-security-token:{token}\n" if token else "")
            + f"\n{names}\n{_UNSIGNED}"
        )
        # The text to sign begins with the same lines each time: they are hashed once.
        self._inner.update(f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n".encode())
        self._headers = (
            f" HTTP/1.1\r\nHost: {self._authority}\r\n{_AGENT}x-amz-date: {stamp}\r\n"
            f"x-amz-content-sha256: {_UNSIGNED}\r\n"
            + (f"x-amz-security-token: {token}\r\n" if token else "")
            + f"Authorization: AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope},"
            f" SignedHeaders={names}, Signature="
        )
        self._fresh_until = time.monotonic() + _FRESH_S


def signed_headers(
    method: str,
    authority: str,
    path: str,
    region: str,
    credentials: AwsCredentials,
    *,
    query: str = "",
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers that sign any request to S3; ``path`` and ``query`` are encoded, the query's names in order, and
    ``extra`` are headers to be signed, their names in lower case."""
    now = time.gmtime()
    day, stamp = time.strftime("%Y%m%d", now), time.strftime("%Y%m%dT%H%M%SZ", now)
    headers = {"host": authority, "x-amz-content-sha256": _UNSIGNED, "x-amz-date": stamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    headers = dict(sorted({**headers, **(extra or {})}.items()))
    names, scope = ";".join(headers), f"{day}/{region}/s3/aws4_request"
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    digest = hashlib.sha256(f"{method}\n{path}\n{query}\n{lines}\n{names}\n{_UNSIGNED}".encode()).hexdigest()
    key = signing_key(credentials.secret_access_key, day, region, "s3")
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hexdigest()
    del headers["host"]
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of one day, derived from the secret."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
