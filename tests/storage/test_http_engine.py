# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP engine against a server whose every answer is written out here."""

import contextlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from time import monotonic, sleep

import pytest

from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, QueueReport, Read, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions

CONTENT = os.urandom(300_000)
ETAG = '"Abc1"'

Answer = Callable[[str, int], "bytes | None"]
"""(request's head, its number from 0) -> the bytes to send; None: reset the connection. Bytes that are no whole
answer are followed by the connection's end."""


def whole(body: bytes = CONTENT, status: str = "200 OK", extra: str = f"ETag: {ETAG}\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


def serve_ranges(request: str, _: int = 0, content: bytes = CONTENT) -> bytes:
    """What a right server says."""
    asked = re.search(r"(?i)range: bytes=(\d+)-(\d+)", request)
    if asked is None:
        return whole(content)
    first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
    if first >= len(content):
        return whole(b"", "416 Range Not Satisfiable", f"Content-Range: bytes */{len(content)}\r\n")
    extra = f"ETag: {ETAG}\r\nContent-Range: bytes {first}-{last}/{len(content)}\r\n"
    return whole(content[first : last + 1], "206 Partial Content", extra)


class ScriptedServer:
    """A thread a connection."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.closes = False
        """The connection ends after each answer, without a word of it."""
        self.requests: list[str] = []
        self.connections = 0
        self._lock = threading.Lock()  # guards the two above
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(65536)):
                        return
                    data += more
                    if data.startswith(b"\x16\x03"):  # the beginning of TLS
                        connection.sendall(whole(b"", "400 Bad Request", ""))
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                with self._lock:
                    number = len(self.requests)
                    self.requests.append(head.decode())
                answer = self.answer(head.decode(), number)
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(answer)
                if self.closes or not _is_whole(answer):
                    return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return length is not None and len(body) == int(length[1])


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(serve_ranges)
    yield scripted
    scripted.close()


def options(url: str, **more: object) -> ObjectStoreOptions:
    keys = {"access_key_id": "AK", "secret_access_key": "SK", "endpoint_url": url}
    return ObjectStoreOptions.of_mapping(keys | more)


def fetch(
    url: str, *reads: tuple[int, int], depth: int = 4, **more: object
) -> tuple[list[Completion], list[memoryview], QueueReport]:
    """The spans (offset, length) of one object."""
    storage = open_storage("s3://bucket/set", StorageSettings(options=options(url, **more)))
    queue = storage.open_reader(depth)
    buffers = [memoryview(bytearray(length)) for _, length in reads]
    try:
        queue.submit([Read("a b", *span, buffers[tag], tag) for tag, span in enumerate(reads)])
        done: list[Completion] = []
        until = monotonic() + 60
        while len(done) < len(reads):
            assert monotonic() < until, "the reads do not end"
            done += queue.wait(1_000_000_000)
        return sorted(done), buffers, queue.report()
    finally:
        queue.close()


def one(url: str, offset: int = 0, length: int = 400_000, **more: object) -> tuple[Completion, bytes, QueueReport]:
    (done,), (buffer,), report = fetch(url, (offset, length), **more)
    return done, bytes(buffer[: done.length]), report


def test_a_whole_object_is_one_request_without_a_range(server: ScriptedServer) -> None:
    done, data, report = one(server.url)
    assert (done.error, data) == (None, CONTENT)
    assert done.first_byte_ns is not None
    assert done.submitted_ns < done.first_byte_ns <= done.done_ns
    assert (report.engine, report.requests, report.retries, report.handed_over) == ("http", 1, {}, 0)
    (request,) = server.requests
    assert request.startswith("GET /bucket/set/a%20b HTTP/1.1\r\n")
    assert "Range:" not in request


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (100, 50, CONTENT[100:150]),
        (299_990, 50, CONTENT[299_990:]),
        (300_000, 50, b""),
        (400_000, 50, b""),
        (0, 10, CONTENT[:10]),
    ],
)
def test_spans_end_where_the_object_ends(server: ScriptedServer, offset: int, length: int, expected: bytes) -> None:
    done, data, _ = one(server.url, offset, length)
    assert (done.error, data) == (None, expected)


def test_an_empty_object(server: ScriptedServer) -> None:
    server.answer = lambda request, _: serve_ranges(request, content=b"")
    assert one(server.url)[1] == b""
    assert one(server.url, 0, 10, range_size=4)[1] == b""


def test_after_an_object_larger_than_asked_for_requests_name_their_range(server: ScriptedServer) -> None:
    storage = open_storage("s3://bucket/set", StorageSettings(options=options(server.url)))
    queue, into = storage.open_reader(1), memoryview(bytearray(1000))
    for tag in (1, 2):
        queue.submit([Read("a", 0, 1000, into, tag)])
        while not (done := queue.wait(1_000_000_000)):
            pass
        assert done[0].length == 1000
        assert bytes(into) == CONTENT[:1000]
    queue.close()
    assert ["Range: bytes=0-999" in request for request in server.requests] == [False, True]


def test_a_large_read_is_split_into_ranges(server: ScriptedServer) -> None:
    done, data, report = one(server.url, 0, 400_000, range_size=70_000)
    assert (done.error, data) == (None, CONTENT)
    assert report.requests == 6
    assert sorted(re.search(r"bytes=(\d+)-", request)[1] for request in server.requests) == sorted(  # type: ignore[index]
        str(first) for first in range(0, 400_000, 70_000)
    )


def test_parts_of_two_versions_are_not_joined(server: ScriptedServer) -> None:
    def two_versions(request: str, number: int) -> bytes:
        return serve_ranges(request).replace(ETAG.encode(), b'"v%d"' % number)

    server.answer = two_versions
    done, _, _ = one(server.url, 0, 300_000, range_size=150_000)
    assert "changed while it was read" in str(done.error)


def test_connections_are_used_again(server: ScriptedServer) -> None:
    storage = open_storage("s3://bucket/set", StorageSettings(options=options(server.url)))
    queue, into = storage.open_reader(2), memoryview(bytearray(400_000))
    for tag in range(20):
        queue.submit([Read("a", 0, 400_000, into, tag)])
        while not queue.wait(1_000_000_000):
            pass
    assert queue.report().connections == 1 == server.connections
    queue.close()


def test_a_truncated_body_goes_on_at_its_last_good_byte(server: ScriptedServer) -> None:
    server.answer = lambda request, number: whole()[:150_000] if number == 0 else serve_ranges(request)
    done, data, report = one(server.url)
    assert (done.error, data) == (None, CONTENT)
    assert report.retries == {"truncated": 1}
    first = 150_000 - (len(whole()) - len(CONTENT))
    assert f"Range: bytes={first}-299999" in server.requests[1]
    assert f"If-Match: {ETAG}" in server.requests[1]


def test_without_an_etag_the_object_is_read_anew(server: ScriptedServer) -> None:
    server.answer = lambda _, number: whole(extra="")[: 150_000 if number == 0 else None]
    done, data, report = one(server.url)
    assert (done.error, data, report.retries) == (None, CONTENT, {"truncated": 1})
    assert "Range:" not in server.requests[1]


def test_an_object_that_changed_is_read_anew(server: ScriptedServer) -> None:
    other = os.urandom(200_000)

    def change(request: str, number: int) -> bytes:
        if number == 0:
            return whole()[:150_000]
        if "If-Match" in request:
            return whole(b"", "412 Precondition Failed", "")
        return whole(other, extra='ETag: "new"\r\n')

    server.answer = change
    done, data, report = one(server.url)
    assert (done.error, data) == (None, other)
    assert report.retries == {"changed": 1, "truncated": 1}


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (None, "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed early"),
        (whole(b"<Error><Code>SlowDown</Code></Error>", "503 Slow Down", ""), "status 503"),
        (whole(b"oops", "500 Internal Server Error", ""), "status 500"),
        (whole(b"", "429 Too Many Requests", "Retry-After: 0\r\n"), "status 429"),
        (whole(b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>", extra=""), "error as success"),
        (whole(CONTENT[:10], "206 Partial Content", "Content-Range: bytes 0-9/300000\r\n"), "wrong range"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP"),
    ],
)
def test_what_fails_in_passing_is_asked_for_again(server: ScriptedServer, first: bytes | None, reason: str) -> None:
    server.answer = lambda request, number: first if number == 0 else serve_ranges(request)
    done, data, report = one(server.url)
    assert (done.error, data, report.retries) == (None, CONTENT, {reason: 1})


def test_bytes_of_another_range_are_refused(server: ScriptedServer) -> None:
    def shifted(request: str, number: int) -> bytes:
        right = serve_ranges(request)
        return right if number else right.replace(b"bytes 100-149", b"bytes 101-150")

    server.answer = shifted
    done, data, report = one(server.url, 100, 50)
    assert (done.error, data, report.retries) == (None, CONTENT[100:150], {"wrong range": 1})


def test_a_server_without_ranges_cannot_serve_spans(server: ScriptedServer) -> None:
    server.answer = lambda *_: whole()
    done, _, _ = one(server.url, 100, 50, s3_max_attempts=2)
    assert isinstance(done.error, UnreachableError)
    assert "2 attempts failed" in str(done.error)
    assert "whole object where bytes from 100 on" in str(done.error)


def test_a_head_in_pieces(server: ScriptedServer) -> None:
    server.answer = lambda *_: whole(b"body", extra="X-Long: " + "y" * 20_000 + "\r\n" + f"ETag: {ETAG}\r\n")
    assert one(server.url)[1] == b"body"


def test_what_is_no_plain_success_is_handed_over(server: ScriptedServer) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    server.answer = lambda request, number: serve_ranges(request) if number else chunked
    done, data, report = one(server.url)
    assert (done.error, data) == (None, CONTENT)
    assert report.handed_over == 1


def test_a_stalled_body_and_a_silent_server_are_left(server: ScriptedServer) -> None:
    wait = threading.Event()

    def stall(request: str, number: int) -> bytes:
        if number == 0:
            wait.wait(20)
        return serve_ranges(request)

    server.answer = stall
    started = monotonic()
    done, data, report = one(server.url, first_byte_timeout=0.2)
    wait.set()
    assert (done.error, data, report.retries) == (None, CONTENT, {"no answer": 1})
    assert monotonic() - started < 15


def test_a_server_that_closes_idle_connections_costs_no_attempt(server: ScriptedServer) -> None:
    storage = open_storage("s3://bucket/set", StorageSettings(options=options(server.url, s3_max_attempts=1)))
    queue, into = storage.open_reader(1), memoryview(bytearray(400_000))
    # The answer does not say so: what follows it makes the server here close.
    server.answer = lambda *_: whole()
    server.closes = True
    for tag in range(5):
        queue.submit([Read("a", 0, 400_000, into, tag)])
        while not (done := queue.wait(1_000_000_000)):
            pass
        assert done[0].error is None
    assert queue.report().connections == 5
    queue.close()


def test_a_dead_server_ends_a_read_naming_endpoint_operation_and_attempts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    done, _, report = one(url, s3_max_attempts=3)
    assert isinstance(done.error, UnreachableError)
    assert str(done.error).startswith(f"cannot read s3://bucket/set/a b: GET from {url}: 3 attempts failed")
    assert "refused" in str(done.error)
    assert report.retries == {"refused": 2}


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        ("403 Forbidden", "InvalidAccessKeyId", StorageError, "does not know the access key"),
        ("403 Forbidden", "SignatureDoesNotMatch", StorageError, "secret key does not belong"),
        ("400 Bad Request", "ExpiredToken", StorageError, "token has expired"),
        ("404 Not Found", "NoSuchBucket", StorageError, "no such bucket"),
        ("404 Not Found", "NoSuchKey", NotFoundError, "no such object"),
        ("403 Forbidden", "AccessDenied", StorageError, "no permission"),
        ("403 Forbidden", "RequestTimeTooSkewed", StorageError, "set the clock"),
    ],
)
def test_refusals_say_the_way_out_and_are_not_repeated(
    server: ScriptedServer, status: str, code: str, kind: type[StorageError], words: str
) -> None:
    server.answer = lambda *_: whole(f"<Error><Code>{code}</Code></Error>".encode(), status, "")
    done, _, _ = one(server.url)
    assert type(done.error) is kind
    assert words in str(done.error)
    assert len(server.requests) == 1


def test_an_unknown_name_and_tls_on_a_plain_port(server: ScriptedServer) -> None:
    with pytest.raises(StorageError, match=r"no-such-host\.invalid .* cannot be resolved"):
        one("http://no-such-host.invalid:9000")
    done, _, _ = one(server.url.replace("http:", "https:"))
    assert "does not speak TLS: write http://" in str(done.error)


def test_several_endpoints_are_used_evenly() -> None:
    servers = [ScriptedServer(serve_ranges) for _ in range(2)]
    try:
        urls = [server.url for server in servers]
        done, _, _ = fetch(urls, *[(0, 400_000)] * 8, depth=8)  # type: ignore[arg-type]
        assert [completion.error for completion in done] == [None] * 8
        assert [server.connections for server in servers] == [4, 4]
    finally:
        for server in servers:
            server.close()


def test_an_endpoint_that_is_gone_is_left_aside(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gone = f"http://127.0.0.1:{listening.getsockname()[1]}"
    done, _, report = fetch([gone, server.url], *[(0, 400_000)] * 8, depth=8)  # type: ignore[arg-type]
    assert [completion.error for completion in done] == [None] * 8
    assert set(report.retries) == {"refused"}


def test_the_watched_descriptor_wakes_and_no_descriptor_is_left(server: ScriptedServer) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reading, writing = os.pipe()
    queue = open_storage("s3://bucket/set", StorageSettings(options=options(server.url))).open_reader(1, reading)
    assert (queue.wait(0), queue.woken) == ([], False)
    assert (queue.wait(1_000_000), queue.woken) == ([], False)
    os.write(writing, b"x")
    assert (queue.wait(None), queue.woken) == ([], True)
    queue.submit([Read("a", 0, 400_000, memoryview(bytearray(400_000)), 1)])
    queue.close()
    os.close(reading)
    os.close(writing)
    server.close()
    for _ in range(200):
        if len(os.listdir("/proc/self/fd")) < before:  # less the server's own
            return
        sleep(0.01)
    pytest.fail("a descriptor is left")


def test_an_endpoint_with_a_path_is_read_and_listed(server: ScriptedServer) -> None:
    """As AIStore's S3 interface is."""
    assert one(f"{server.url}/s3")[1] == CONTENT
    listing = b"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    server.answer = lambda *_: whole(listing, extra="Content-Type: application/xml\r\n")
    storage = open_storage("s3://bucket/set", StorageSettings(options=options(f"{server.url}/s3")))
    assert list(storage.list()) == []
    read, listed = (request.split()[1] for request in server.requests)
    assert read == "/s3/bucket/set/a%20b"
    assert listed.startswith("/s3/bucket?")
