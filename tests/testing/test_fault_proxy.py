# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client meets on the wire, read from raw sockets."""

import http.server
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from dl_driver.testing.faults import Fault, FaultPlan, fault_proxy

BODY = bytes(range(256)) * 400  # 102,400 bytes, more than one block of the proxy's


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers a GET with BODY or a range of it, /chunked in chunks, /empty with nothing; a PUT with what it got."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/chunked":
            self.answer(200, b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", ("Transfer-Encoding", "chunked"))
        elif self.path == "/empty":
            self.answer(200, b"", ("Content-Length", "0"))
        elif "Range" in self.headers:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            part = BODY[first : last + 1]
            told = f"bytes {first}-{last}/{len(BODY)}"
            self.answer(206, part, ("Content-Length", str(len(part))), ("Content-Range", told))
        else:
            self.answer(200, BODY, ("Content-Length", str(len(BODY))))

    def do_HEAD(self):
        self.answer(200, b"", ("Content-Length", str(len(BODY))))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, body, ("Content-Length", str(len(body))))

    def answer(self, status, body, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def proxy():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with fault_proxy(f"http://127.0.0.1:{server.server_address[1]}") as running:
            yield running
        server.shutdown()
        thread.join()


@contextmanager
def connected(proxy):
    port = int(proxy.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        yield raw


def request(path="/", *headers, method="GET", body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def read_head(raw):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = raw.recv(1)
        assert byte, f"the connection ended within a head: {head!r}"
        head += byte
    line, *fields = head.decode().split("\r\n")[:-2]
    return int(line.split()[1]), {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}


def read_exactly(raw, count):
    body = b""
    while len(body) < count:
        block = raw.recv(count - len(body))
        assert block, "the connection ended early"
        body += block
    return body


def read_answer(raw):
    status, headers = read_head(raw)
    return status, headers, read_exactly(raw, int(headers["content-length"]))


def read_until_end(raw):
    """The bytes, and whether the connection was reset."""
    body = b""
    try:
        while block := raw.recv(65536):
            body += block
    except ConnectionResetError:
        return body, True
    return body, False


def all_broken_by(proxy, kind, **options):
    proxy.program(FaultPlan([kind], share=1.0, **options))


def counted(proxy):
    counts = proxy.counts()
    return counts.answers, counts.broken


def test_without_a_plan_everything_passes_on_one_connection(proxy):
    proxy.program(FaultPlan())
    with connected(proxy) as raw:
        raw.sendall(request())
        assert read_answer(raw)[::2] == (200, BODY)
        raw.sendall(request("/", "Range: bytes=10-19"))
        status, headers, body = read_answer(raw)
        assert (status, body, headers["content-range"]) == (206, BODY[10:20], "bytes 10-19/102400")
        raw.sendall(request(method="HEAD"))
        assert read_head(raw)[1]["content-length"] == "102400"
        raw.sendall(request("/chunked"))
        assert read_head(raw)[0] == 200
        wire = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        assert read_exactly(raw, len(wire)) == wire
        raw.sendall(request("/empty"))
        assert read_answer(raw)[::2] == (200, b"")
        raw.sendall(request("/x", "Content-Length: 4", method="PUT", body=b"data"))
        assert read_answer(raw)[::2] == (200, b"data")
    assert counted(proxy) == (4, {})


def test_a_client_that_waits_to_be_told_to_continue_is_told(proxy):
    proxy.program(FaultPlan())
    with connected(proxy) as raw:
        raw.sendall(request("/x", "Content-Length: 4", "Expect: 100-continue", method="PUT"))
        assert read_head(raw)[0] == 100
        raw.sendall(b"data")
        assert read_answer(raw)[::2] == (200, b"data")


def test_reset_in_the_middle_of_the_body(proxy):
    all_broken_by(proxy, Fault.RESET)
    with connected(proxy) as raw:
        raw.sendall(request())
        assert read_head(raw)[1]["content-length"] == "102400"
        body, was_reset = read_until_end(raw)
    assert was_reset
    assert BODY.startswith(body)
    assert len(body) <= 51_200
    assert counted(proxy) == (1, {Fault.RESET: 1})


def test_a_truncated_body_ends_in_an_orderly_way(proxy):
    all_broken_by(proxy, Fault.TRUNCATE)
    with connected(proxy) as raw:
        raw.sendall(request())
        assert read_head(raw)[1]["content-length"] == "102400"
        assert read_until_end(raw) == (BODY[:51_200], False)
    assert counted(proxy) == (1, {Fault.TRUNCATE: 1})


def test_a_truncated_body_in_chunks_has_no_last_chunk(proxy):
    all_broken_by(proxy, Fault.TRUNCATE)
    with connected(proxy) as raw:
        raw.sendall(request("/chunked"))
        read_head(raw)
        assert read_until_end(raw) == (b"5\r\nhell", False)


def test_a_body_stalls_in_the_middle(proxy):
    all_broken_by(proxy, Fault.STALL_BODY, stall_s=60.0)
    with connected(proxy) as raw:
        raw.sendall(request())
        read_head(raw)
        assert read_exactly(raw, 51_200) == BODY[:51_200]
        raw.settimeout(0.3)
        with pytest.raises(TimeoutError):
            raw.recv(1)
    assert counted(proxy) == (1, {Fault.STALL_BODY: 1})


def test_a_stalled_body_ends_when_its_time_is_over(proxy):
    all_broken_by(proxy, Fault.STALL_BODY, stall_s=0.2)
    with connected(proxy) as raw:
        raw.sendall(request())
        read_head(raw)
        assert read_until_end(raw) == (BODY[:51_200], False)


def test_nothing_comes_at_all(proxy):
    all_broken_by(proxy, Fault.STALL_START, stall_s=0.3)
    with connected(proxy) as raw:
        raw.sendall(request())
        raw.settimeout(0.1)
        with pytest.raises(TimeoutError):
            raw.recv(1)
        raw.settimeout(30)
        assert read_until_end(raw) == (b"", False)
    assert counted(proxy) == (1, {Fault.STALL_START: 1})


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Fault.INTERNAL_ERROR, 500, b"<Code>InternalError</Code>"),
        (Fault.SLOW_DOWN, 503, b"<Code>SlowDown</Code>"),
        (Fault.TOO_MANY_REQUESTS, 429, b"<Code>TooManyRequests</Code>"),
        (Fault.ERROR_IN_SUCCESS, 200, b"<Code>InternalError</Code>"),
    ],
)
def test_errors_leave_the_connection_usable(proxy, kind, status, code):
    all_broken_by(proxy, kind)
    with connected(proxy) as raw:
        for _ in range(2):
            raw.sendall(request())
            answered, headers, body = read_answer(raw)
            assert answered == status
            assert headers["content-type"] == "application/xml"
            assert body.startswith(b"<?xml")
            assert code in body
    assert counted(proxy) == (2, {kind: 2})


def test_an_error_takes_the_requests_body_off_the_connection(proxy):
    all_broken_by(proxy, Fault.SLOW_DOWN, methods=frozenset({"PUT"}))
    with connected(proxy) as raw:
        raw.sendall(request("/x", "Content-Length: 4", method="PUT", body=b"data"))
        assert read_answer(raw)[0] == 503
        raw.sendall(request())
        assert read_answer(raw)[::2] == (200, BODY)
    assert counted(proxy) == (1, {Fault.SLOW_DOWN: 1})


@pytest.mark.parametrize(
    ("headers", "count", "told"),
    [(["Range: bytes=10-19"], 10, "bytes 11-20/102400"), ([], 102_400, "bytes 1-102400/102401")],
)
def test_another_range_of_the_same_length(proxy, headers, count, told):
    all_broken_by(proxy, Fault.WRONG_RANGE)
    with connected(proxy) as raw:
        raw.sendall(request("/", *headers))
        status, answered, body = read_answer(raw)
        assert (status, answered["content-range"], len(body)) == (206, told, count)
        right = BODY[10:20] if headers else BODY
        assert all(one != other for one, other in zip(body, right, strict=True))
        raw.sendall(request("/", *headers))
        assert read_answer(raw)[0] == 206
    assert counted(proxy) == (2, {Fault.WRONG_RANGE: 2})


def test_latency_delays_and_changes_nothing(proxy):
    all_broken_by(proxy, Fault.LATENCY, latency_s=0.2)
    with connected(proxy) as raw:
        began = time.monotonic()
        raw.sendall(request())
        assert read_answer(raw)[::2] == (200, BODY)
        assert time.monotonic() - began >= 0.2
    assert counted(proxy) == (1, {Fault.LATENCY: 1})


def test_bandwidth_is_limited(proxy):
    all_broken_by(proxy, Fault.BANDWIDTH, bytes_per_second=204_800)
    with connected(proxy) as raw:
        began = time.monotonic()
        raw.sendall(request())
        status, _, body = read_answer(raw)
        raw.sendall(request("/empty"))
        read_answer(raw)
        # 102,400 bytes at 204,800 a second, and the next answer only when the line is free.
        assert time.monotonic() - began >= 0.5
        assert (status, body) == (200, BODY)


def test_an_empty_body_cannot_be_broken(proxy):
    all_broken_by(proxy, Fault.TRUNCATE)
    with connected(proxy) as raw:
        raw.sendall(request("/empty"))
        assert read_answer(raw)[::2] == (200, b"")
    assert counted(proxy) == (1, {})


def test_the_plan_says_which_answers(proxy):
    plan = FaultPlan([Fault.SLOW_DOWN], share=0.3, seed=5)
    proxy.program(plan)
    with connected(proxy) as raw:
        statuses = []
        for _ in range(40):
            raw.sendall(request("/empty"))
            statuses.append(read_answer(raw)[0])
    assert statuses == [200 if plan.fault_of(number) is None else 503 for number in range(40)]
    assert proxy.counts().total_broken == statuses.count(503) > 0


def test_a_server_that_is_not_there_closes_the_connection():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with fault_proxy(f"http://127.0.0.1:{unused.getsockname()[1]}") as proxy, connected(proxy) as raw:
            raw.sendall(request())
            assert read_until_end(raw)[0] == b""
