# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of an upload that are lost or cut on their way are an error at once, and no object is left of them."""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.storage import open_storage
from dl_driver.storage.azure import AzureStorage
from dl_driver.storage.base import Piece, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.s3_upload import PART_BYTES, S3Upload
from dl_driver.testing.azurite import AzureServer
from dl_driver.testing.seaweedfs import S3Server

LARGE = 2 * PART_BYTES + 12_345


def open_s3(server: S3Server, bucket: str, **other: object) -> Storage:
    keys = {"access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key}
    options = ObjectStoreOptions.of_mapping({**keys, "endpoint_url": server.endpoint_url, **other})
    return open_storage(f"s3://{bucket}/w", StorageSettings(options=options))


def open_azure(server: AzureServer, container: str, **other: object) -> Storage:
    given = {"secret_access_key": server.account_key, "endpoint_url": server.endpoint_url, **other}
    options = ObjectStoreOptions.of_mapping(given)
    return open_storage(f"az://{server.account}/{container}/w", StorageSettings(options=options))


def test_a_part_that_the_server_lost(s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = S3Upload._complete
    monkeypatch.setattr(
        S3Upload, "_complete", lambda self, path, upload, parts: complete(self, path, upload, parts[:-1])
    )
    with pytest.raises(StorageError, match=f"the server has {2 * PART_BYTES} bytes of the {LARGE} that were sent"):
        open_s3(s3_server, s3_bucket).put("lost", [Piece(0, os.urandom(LARGE))])


def test_a_block_that_the_server_lost(
    azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_block = AzureStorage._put_block

    def lose_one(self: AzureStorage, key: str, query: dict[str, str], headers: object, body: bytes) -> None:
        if len(body) == 8 << 20:  # all but the last
            put_block(self, key, query, headers, body)  # type: ignore[arg-type]

    monkeypatch.setattr(AzureStorage, "_put_block", lose_one)
    storage = open_azure(azure_server, azure_container)
    with pytest.raises(StorageError, match=r"parts of the upload were lost at the server; write the object again"):
        storage.put("lost", [Piece(0, os.urandom(20_000_000))])
    with pytest.raises(NotFoundError):
        storage.stat("lost")


class Cutter(socketserver.ThreadingTCPServer):
    """Passes on the first ``passed`` bytes of each connection to a server, and closes both sides then."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, behind: tuple[str, int], passed: int) -> None:
        self.behind, self.passed = behind, passed
        super().__init__(("127.0.0.1", 0), _Cutting)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class _Cutting(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Cutter)
        left = server.passed
        with socket.create_connection(server.behind) as behind:
            back = threading.Thread(target=_copy, args=(behind, self.request))
            back.start()
            with suppress(OSError):
                while left and (block := self.request.recv(min(left, 65536))):
                    behind.sendall(block)
                    left -= len(block)
            with suppress(OSError):
                behind.shutdown(socket.SHUT_RDWR)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)


@contextmanager
def cutting(url: str, passed: int) -> Iterator[str]:
    parts = urlsplit(url)
    with Cutter((parts.hostname or "", parts.port or 80), passed) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running.address
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize("size", [1_000_000, LARGE])
@pytest.mark.parametrize("provider", ["s3", "az"])
def test_a_body_that_is_cut(request: pytest.FixtureRequest, provider: str, size: int) -> None:
    if provider == "s3":
        server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("s3_bucket")
        opener, path = open_s3, ""
    else:
        server, bucket = request.getfixturevalue("azure_server"), request.getfixturevalue("azure_container")
        opener, path = open_azure, f"/{server.account}"
    with cutting(server.endpoint_url, 500_000) as url:
        storage = opener(server, bucket, endpoint_url=f"{url}{path}", s3_max_attempts=2)
        with pytest.raises(UnreachableError, match=rf"cannot write .*PUT at {url}: 2 attempts failed, the last one"):
            storage.put("cut", [Piece(0, os.urandom(size))])
    assert _names(opener(server, bucket)) == []


def _names(storage: Storage) -> Sequence[str]:
    return [info.key for info in storage.list() if info.key == "cut"]
