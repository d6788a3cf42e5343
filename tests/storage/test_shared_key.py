# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared Key against the text to sign of Azure's documentation, written out by hand."""

import base64
import hmac

import pytest

from dl_driver.errors import StorageError
from dl_driver.storage import shared_key
from dl_driver.storage.shared_key import SharedKey, SharedKeyRequests, decode_key
from dl_driver.storage.token_requests import TokenRequests

DATE = "Fri, 26 Jun 2015 23:39:12 GMT"


def signature(key: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


@pytest.mark.parametrize("key", [b"short", b"k" * 64, b"longer than one block" * 5])
@pytest.mark.parametrize(
    ("first", "etag", "conditions"),
    [(None, None, "\n\n\n\n\n"), (4, None, "\n\n\n\n\nbytes=4-9"), (4, '"0x8D"', '\n\n"0x8D"\n\n\nbytes=4-9')],
)
def test_a_get_is_signed(monkeypatch, key: bytes, first, etag, conditions: str) -> None:
    monkeypatch.setattr(shared_key, "formatdate", lambda usegmt: DATE)
    requests = SharedKeyRequests("host", "/acc/cont/pre/", "acc", key)
    head = requests.get("a b/ü", first, 9, etag).decode()
    # Verb, then Content-Encoding, -Language, -Length, -MD5, -Type and Date, all empty; If-Modified-Since to Range.
    text = "GET\n\n\n\n\n\n" + conditions
    text += f"\nx-ms-date:{DATE}\nx-ms-version:2021-12-02\n/acc/acc/cont/pre/a%20b/%C3%BC"
    lines = head.split("\r\n")
    assert lines[0] == "GET /acc/cont/pre/a%20b/%C3%BC HTTP/1.1"
    assert f"Authorization: SharedKey acc:{signature(key, text)}" in lines
    assert ("Range: bytes=4-9" in lines) == (first is not None)
    assert (f"If-Match: {etag}" in lines) == (etag is not None)
    assert lines[-2:] == ["", ""]


def test_a_write_is_signed_with_its_query_and_headers() -> None:
    headers = {"Content-Length": "5", "Content-MD5": "bWQ1", "x-ms-version": "V", "x-ms-date": DATE}
    made = SharedKey("acc", b"key").header("PUT", "/c/k", {"comp": "block", "blockid": "AA=="}, headers)
    text = f"PUT\n\n\n5\nbWQ1\n\n\n\n\n\n\n\nx-ms-date:{DATE}\nx-ms-version:V\n/acc/c/k\nblockid:AA==\ncomp:block"
    assert made == f"SharedKey acc:{signature(b'key', text)}"


def test_an_empty_body_has_no_length_in_the_text() -> None:
    made = SharedKey("acc", b"key").header("PUT", "/c/k", {}, {"Content-Length": "0", "x-ms-date": DATE})
    assert made == f"SharedKey acc:{signature(b'key', 'PUT' + 12 * chr(10) + f'x-ms-date:{DATE}{chr(10)}/acc/c/k')}"


def test_secrets_are_not_shown() -> None:
    assert "sesame" not in repr(SharedKey("acc", b"sesame"))
    with pytest.raises(StorageError, match="no Base64") as raised:
        decode_key("acc", "open sesame!")
    assert "sesame" not in str(raised.value)


def test_tokens_and_queries_are_asked_for_again(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    tokens = iter(["one", "two"])
    requests = TokenRequests("host:1", "/b/", lambda: f"Authorization: Bearer {next(tokens)}\r\n", lambda: "sig=1")
    whole = b"GET /b/k?sig=1 HTTP/1.1\r\nHost: host:1\r\nUser-Agent: dl-driver\r\nAuthorization: Bearer one\r\n\r\n"
    assert requests.get("k", None, None, None) == whole
    assert b"Bearer one\r\nRange: bytes=1-2\r\n\r\n" in requests.get("k", 1, 2, None)
    now[0] += 31
    assert b"Bearer two\r\n" in requests.get("k", None, None, None)
