# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP engine's parts that need no socket."""

import random

import pytest

from dl_driver.errors import StorageError
from dl_driver.storage.engines.http_job import SMALLEST_RANGE, part_sizes
from dl_driver.storage.engines.http_response import (
    content_range,
    etag_of,
    parse_head,
    plain_length,
    retry_after_s,
    unsatisfied_total,
)
from dl_driver.storage.engines.http_service import parse_endpoint
from dl_driver.storage.engines.retry import RetryBudget, jittered_delay_ns, rare_delay_ns
from dl_driver.storage.redaction import redacted

HEAD = b'HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 1024\r\nETag: "aB"\r\nRetry-After: 7\r\n'


def test_a_plain_head() -> None:
    head = parse_head(HEAD)
    assert head is not None
    assert (head.status, head.length, head.keeps) == (200, 1024, True)
    assert plain_length(HEAD.lower()) == 1024
    assert etag_of(HEAD) == '"aB"'
    assert retry_after_s(HEAD.lower()) == 7


@pytest.mark.parametrize(
    ("line", "length", "keeps"),
    [
        (b"Transfer-Encoding: chunked\r\n", None, True),
        (b"Content-Encoding: gzip\r\n", None, True),
        (b"Connection: close\r\n", 1024, False),
        (b"Connection: keep-alive\r\n", 1024, True),
    ],
)
def test_what_makes_a_head_less_than_plain(line: bytes, length: int | None, keeps: bool) -> None:
    head = parse_head(HEAD + line)
    assert head is not None
    assert (head.length, head.keeps) == (length, keeps)
    assert plain_length((HEAD + line).lower()) == (1024 if length and keeps else -1)


def test_older_and_other_heads() -> None:
    old = parse_head(HEAD.replace(b"1.1", b"1.0", 1))
    assert old is not None
    assert not old.keeps
    assert parse_head(b"HTTP/2 200\r\n") is None
    assert parse_head(b"220 ready\r\n") is None
    assert etag_of(b'HTTP/1.1 200 OK\r\nETag: W/"weak"\r\n') is None


def test_ranges_in_heads() -> None:
    assert content_range(b"http/1.1 206 x\r\ncontent-range: bytes 5-9/100\r\n") == (5, 9, 100)
    assert content_range(b"http/1.1 206 x\r\ncontent-range: bytes 5-9/*\r\n") == (5, 9, None)
    assert content_range(b"http/1.1 206 x\r\n") is None
    assert unsatisfied_total(b"http/1.1 416 x\r\ncontent-range: bytes */100\r\n") == 100


def test_reads_are_split_over_free_connections_when_they_are_large() -> None:
    large = 4 * SMALLEST_RANGE
    assert part_sizes(1000, None, 8) == (1000,)
    assert part_sizes(large, None, 1) == (large,)
    assert part_sizes(large, 0, 8) == (large,)
    assert part_sizes(1000, 300, 0) == (300, 300, 300, 100)
    parts = part_sizes(large, None, 8)
    assert len(parts) == 4
    assert sum(parts) == large
    assert len(part_sizes(large, None, 2)) == 2


def test_waits_are_jittered_and_the_budget_ends() -> None:
    source = random.Random(1)
    for attempt, slow, most in ((1, False, 25), (2, False, 200), (3, False, 400), (1, True, 250), (2, True, 500)):
        delays = [jittered_delay_ns(attempt, source, slow=slow) / 1e6 for _ in range(1000)]
        assert min(delays) < most / 20
        assert most * 0.95 < max(delays) <= most
    assert max(jittered_delay_ns(30, source) for _ in range(1000)) <= 20_000_000_000
    # Where nearly all else succeeds the first retry does not wait, the second as the first one would.
    assert rare_delay_ns(1, source) == 0
    for attempt, slow, most in ((1, True, 50), (2, True, 250), (2, False, 25), (3, False, 200)):
        delays = [rare_delay_ns(attempt, source, slow=slow) / 1e6 for _ in range(1000)]
        assert min(delays) < most / 20
        assert most * 0.95 < max(delays) <= most
    budget = RetryBudget()
    assert [budget.spend() for _ in range(101)] == [True] * 100 + [False]
    for _ in range(5):
        budget.earn()
    assert budget.spend()


def test_the_budget_is_strained_when_more_than_twenty_requests_failed() -> None:
    budget = RetryBudget()
    for _ in range(20):
        budget.spend()
    assert not budget.strained
    budget.spend()
    assert budget.strained
    for _ in range(5):
        budget.earn()
    assert not budget.strained


def test_endpoints() -> None:
    plain = parse_endpoint("http://[::1]:9000/", "/bucket/")
    assert (plain.host, plain.port, plain.authority, plain.path, plain.tls) == (
        "::1", 9000, "[::1]:9000", "/bucket/", False,
    )  # fmt: skip
    named = parse_endpoint("https://s3.example", "/", host_prefix="bucket.")
    assert (named.authority, named.port, named.url) == ("bucket.s3.example", 443, "https://bucket.s3.example")


@pytest.mark.parametrize("url", ["ftp://x", "host:9000", "http://user:secret@host", "http://h:99999"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        parse_endpoint(url, "/")
    assert "secret" not in str(caught.value)


def test_redaction() -> None:
    text = redacted("GET https://u:pw@h/x?sig=abc&X-Amz-Signature=def Authorization: AWS4 Credential=z")
    for secret in ("pw", "abc", "def", "Credential=z"):
        assert secret not in text
