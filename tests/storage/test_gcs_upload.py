# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads to a server that answers as Google's documentation says, and that fails where a test asks it to."""

import base64
import json
import re
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crc32c import crc32c

from dl_driver.errors import StorageError, UnreachableError
from dl_driver.storage import gcs_upload, open_storage
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.gcs import GcsStorage
from dl_driver.storage.options import ObjectStoreOptions

KIB = 1024


class Bucket(BaseHTTPRequestHandler):
    """One object at a time."""

    protocol_version = "HTTP/1.1"
    held = b""
    requests: list[str]
    faults: list[str]
    """What goes wrong with the next chunks: ``503``, ``half`` (kept and then failed), ``spoil``."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).held = b""
        self.answer(200, b"", {"Location": "http://elsewhere/upload/session?upload_id=7"})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        extent = self.headers["Content-Range"]
        self.requests.append(extent)
        fault = self.faults.pop(0) if self.faults and not extent.startswith("bytes */") else ""
        if fault == "503":
            self.answer(503, b"")
            return
        if found := re.fullmatch(r"bytes (\d+)-\d+/\d+", extent):
            assert int(found[1]) == len(self.held)
            body = body[: 256 * KIB] if fault == "half" else bytes(len(body)) if fault == "spoil" else body
            type(self).held += body
        if fault == "half":
            self.answer(503, b"")
        elif len(self.held) == int(extent.rpartition("/")[2]):
            checksum = base64.b64encode(struct.pack(">I", crc32c(self.held))).decode()
            self.answer(200, json.dumps({"size": str(len(self.held)), "crc32c": checksum}).encode())
        else:
            self.answer(308, b"", {"Range": f"bytes=0-{len(self.held) - 1}"} if self.held else {})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStorage]:
    monkeypatch.setattr(gcs_upload, "SMALL_BYTES", 0)
    monkeypatch.setattr(gcs_upload, "CHUNK_BYTES", 512 * KIB)
    Bucket.requests, Bucket.faults = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    options = ObjectStoreOptions.of_mapping(
        {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "session_token": "token", "s3_max_attempts": 3}
    )
    yield open_storage("gs://bucket", StorageSettings(options=options))
    server.shutdown()
    thread.join()
    server.server_close()


DATA = bytes(range(256)) * 4 * 1200  # 1200 KiB


def test_chunks_follow_each_other(bucket: GcsStorage) -> None:
    bucket.put("key", [Piece(0, DATA)])
    assert Bucket.held == DATA
    assert Bucket.requests == [
        f"bytes {a}-{b}/1228800" for a, b in ((0, 524287), (524288, 1048575), (1048576, 1228799))
    ]


def test_a_failed_chunk_goes_on_at_the_last_byte_held(bucket: GcsStorage) -> None:
    Bucket.faults = ["", "half", "503"]
    bucket.put("key", [Piece(0, DATA)])
    assert Bucket.held == DATA
    assert Bucket.requests == [
        "bytes 0-524287/1228800",
        "bytes 524288-1048575/1228800",  # of which the server keeps 256 KiB
        "bytes */1228800",
        "bytes 786432-1228799/1228800",
        "bytes */1228800",
        "bytes 786432-1228799/1228800",
    ]


def test_a_server_that_keeps_failing_is_left(bucket: GcsStorage) -> None:
    Bucket.faults = ["503"] * 3
    with pytest.raises(UnreachableError, match=r"cannot write gs://bucket/key: PUT at .*overloaded"):
        bucket.put("key", [Piece(0, DATA)])


def test_other_bytes_at_the_server_are_an_error(bucket: GcsStorage) -> None:
    Bucket.faults = ["", "spoil"]
    with pytest.raises(StorageError, match="the server has other bytes than were sent"):
        bucket.put("key", [Piece(0, DATA)])
