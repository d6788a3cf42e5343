# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bytes get into a bucket of Google Cloud Storage, each time with their CRC32C, which both sides check.

With a token: the JSON interface, in one request for a small object, else a resumable upload whose chunks go on at the
last byte that the server has. With HMAC keys, which know the XML interface alone: one PUT.
"""

import base64
import json
import random
import struct
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crc32c import crc32c

from dl_driver.errors import StorageError, UnreachableError
from dl_driver.storage.engines.http_sender import Message, Reply, Sender
from dl_driver.storage.engines.retry import jittered_delay_ns
from dl_driver.storage.spool import Spool

SMALL_BYTES = 8 << 20
"""Larger objects are sent in chunks."""
CHUNK_BYTES = 16 << 20
"""A multiple of 256 KiB, as the interface asks."""
_WINDOW_BYTES = 1 << 20
_BOUNDARY = "dl-driver-part"
_GOES_ON = 308

Headers = Callable[[], Mapping[str, str]]
"""Who asks; called before each request."""


class JsonUpload:
    """One object to be written by the JSON interface."""

    def __init__(self, sender: Sender, bucket_path: str, name: str, headers: Headers, *, attempts: int) -> None:
        """``bucket_path``: of uploads to the bucket, encoded, ``/upload/storage/v1/b/bucket/o``."""
        self._sender, self._headers, self._attempts = sender, headers, attempts
        self._target, self._name = f"{bucket_path}?uploadType=", name

    def send(self, spool: Spool) -> None:
        """Raises StorageError, also where the server has other bytes than were sent."""
        checksum = checksum_of(spool)
        told = self._send_whole(spool, checksum) if spool.size <= SMALL_BYTES else self._send_chunks(spool, checksum)
        if told.get("crc32c") != checksum or int(told.get("size", -1)) != spool.size:
            raise StorageError(
                f"the server has other bytes than were sent: {told.get('size')} bytes with the CRC32C"
                f" {told.get('crc32c')}, expected {spool.size} with {checksum}; write it again, and check the network"
            )

    def _send_whole(self, spool: Spool, checksum: str) -> dict[str, Any]:
        facts = json.dumps({"name": self._name, "crc32c": checksum})
        body = (
            f"--{_BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{facts}\r\n"
            f"--{_BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n"
        ).encode()
        body += spool.read(0, spool.size) + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/related; boundary={_BOUNDARY}"
        return _facts(self._call("POST", f"{self._target}multipart", body, {"Content-Type": kind}))

    def _send_chunks(self, spool: Spool, checksum: str) -> dict[str, Any]:
        kind = {"Content-Type": "application/json; charset=UTF-8", "X-Upload-Content-Length": str(spool.size)}
        facts = json.dumps({"name": self._name, "crc32c": checksum}).encode()
        began = self._call(
            "POST", f"{self._target}resumable&name={urllib.parse.quote(self._name, safe='')}", facts, kind
        )
        parts = urllib.parse.urlsplit(began.headers.get("Location") or "")
        if not parts.path:
            raise StorageError("the server began an upload without saying where its bytes go")
        session = f"{parts.path}?{parts.query}"
        at, failures = 0, 0
        while True:
            try:
                reply = self._send_chunk(session, spool, at)
            except UnreachableError:
                failures += 1
                if failures >= self._attempts:
                    raise
                time.sleep(jittered_delay_ns(failures, random.Random()) / 1e9)
                reply = self._ask(session, spool.size)
            if reply.status != _GOES_ON:
                return _facts(reply)
            held = _held(reply)
            failures = 0 if held > at else failures
            at = held

    def _send_chunk(self, session: str, spool: Spool, at: int) -> Reply:
        body = spool.read(at, CHUNK_BYTES)
        extent = f"bytes {at}-{at + len(body) - 1}/{spool.size}"
        message = Message("PUT", session, self._made({"Content-Range": extent}, len(body)), body)
        return self._sender.send(message, attempts=1, accept=(_GOES_ON,))

    def _ask(self, session: str, size: int) -> Reply:
        """How much of it the server has."""
        message = Message("PUT", session, self._made({"Content-Range": f"bytes */{size}"}, 0))
        return self._sender.send(message, accept=(_GOES_ON,))

    def _call(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return self._sender.send(Message(method, target, self._made(headers, len(body)), body))

    def _made(self, headers: Mapping[str, str], length: int) -> Headers:
        return lambda: {**headers, **self._headers(), "Content-Length": str(length)}


def windows(spool: Spool) -> Iterator[bytes]:
    """The object's bytes, a little at a time."""
    for offset in range(0, spool.size, _WINDOW_BYTES):
        yield spool.read(offset, _WINDOW_BYTES)


def checksum_of(spool: Spool) -> str:
    """The CRC32C as the interface writes it: Base64 of four bytes, the highest first."""
    value = 0
    for window in windows(spool):
        value = crc32c(window, value)
    return base64.b64encode(struct.pack(">I", value)).decode()


def _held(reply: Reply) -> int:
    """Bytes that the server has, from its answer in the middle of an upload."""
    told = reply.headers.get("Range")
    return int(told.rpartition("-")[2]) + 1 if told else 0


def _facts(reply: Reply) -> dict[str, Any]:
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise StorageError("the server's answer to an upload does not say what it has; is this Google's interface?")
    return told
