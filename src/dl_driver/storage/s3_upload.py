# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bytes get into a bucket of S3: each request carries the CRC32C of its bytes, and its answer is checked.

A small object is one request. A large one is sent in parts, a few at a time, and put together by the server; its size
is asked for afterwards, since an object that lost a part is otherwise found only when it is read.
"""

import base64
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

from crc32c import crc32c

from dl_driver.errors import StorageError
from dl_driver.storage import s3_failures
from dl_driver.storage.engines.http_sender import Message, Reply, Sender
from dl_driver.storage.spool import Spool

PART_BYTES = 16 << 20
"""Larger objects are sent in parts; S3 asks for 5 MiB at least."""
_MAX_PARTS = 10_000
_PARALLEL_PARTS = 4
_CHECKSUM = "x-amz-checksum-crc32c"
_UPLOAD_ID = re.compile(rb"<UploadId>\s*([^<]+?)\s*</UploadId>")

Sign = Callable[[str, str, str, Mapping[str, str]], Mapping[str, str]]
"""(method, path, query, headers to be signed): all headers that the request needs, those given included."""


class _Part(NamedTuple):
    number: int
    etag: str
    checksum: str | None
    """As the server returned it; None from a server that does not know it."""


class S3Upload:
    """Writes objects to one endpoint."""

    def __init__(self, sender: Sender, sign: Sign, *, part_bytes: int = PART_BYTES) -> None:
        self._sender, self._sign, self._part_bytes = sender, sign, part_bytes

    def send(self, path: str, spool: Spool) -> None:
        """Write the object at ``path`` (encoded). Raises StorageError, also where the server has other bytes."""
        if spool.size <= self._part_bytes:
            reply = self._put(path, {}, spool.read(0, spool.size))
            if reply.headers.get(_CHECKSUM) is None:
                self._check_size(path, spool.size)
            return
        upload = self._begin(path)
        try:
            self._complete(path, upload, self._send_parts(path, upload, spool))
        except BaseException:
            with suppress(StorageError):
                self._call("DELETE", path, {"uploadId": upload}, {})
            raise
        self._check_size(path, spool.size)

    def _begin(self, path: str) -> str:
        reply = self._call("POST", path, {"uploads": ""}, {"x-amz-checksum-algorithm": "CRC32C"})
        found = _UPLOAD_ID.search(reply.body)
        if found is None:
            raise StorageError("the server began an upload without naming it; does this endpoint speak S3?")
        return found[1].decode()

    def _send_parts(self, path: str, upload: str, spool: Spool) -> Sequence[_Part]:
        size = max(self._part_bytes, -(-spool.size // _MAX_PARTS))

        def send(number: int) -> _Part:
            body = spool.read((number - 1) * size, size)
            reply = self._put(path, {"partNumber": str(number), "uploadId": upload}, body)
            etag = reply.headers.get("ETag")
            if not etag:
                raise StorageError(f"the server took part {number} without an ETag; does this endpoint speak S3?")
            return _Part(number, etag, reply.headers.get(_CHECKSUM))

        with ThreadPoolExecutor(_PARALLEL_PARTS, thread_name_prefix="dl-driver-put") as threads:
            running = [threads.submit(send, number) for number in range(1, -(-spool.size // size) + 1)]
            try:
                return [one.result() for one in running]
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise

    def _complete(self, path: str, upload: str, parts: Sequence[_Part]) -> None:
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
            + (f"<ChecksumCRC32C>{part.checksum}</ChecksumCRC32C>" if part.checksum else "")
            + "</Part>"
            for part in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        reply = self._call("POST", path, {"uploadId": upload}, {}, body)
        if b"<Error>" in reply.body:
            # Sent under a status of success, since the server answers before it is done.
            reason = s3_failures.FAILURES.explain(None, reply.body.decode("utf-8", "replace"))
            raise StorageError(f"the server could not put the parts together: {reason}")

    def _put(self, path: str, query: Mapping[str, str], body: bytes) -> Reply:
        checksum = base64.b64encode(struct.pack(">I", crc32c(body))).decode()
        reply = self._call("PUT", path, query, {_CHECKSUM: checksum}, body)
        told = reply.headers.get(_CHECKSUM)
        if told is not None and told != checksum:
            raise StorageError(
                f"the server has other bytes than were sent: their CRC32C is {told}, expected {checksum}; write it"
                " again, and check the network"
            )
        return reply

    def _check_size(self, path: str, size: int) -> None:
        told = self._call("HEAD", path, {}, {}).headers.get("Content-Length")
        if told != str(size):
            raise StorageError(
                f"the server has {told} bytes of the {size} that were sent; write it again, and check the network"
            )

    def _call(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        text = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))
        message = Message(
            method, f"{path}?{text}" if text else path, lambda: self._sign(method, path, text, headers), body
        )
        return self._sender.send(message)
