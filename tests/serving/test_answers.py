# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from dl_driver.config import load
from dl_driver.dataset.files import evaluation_files, training_files
from dl_driver.formats.base import SparseFile
from dl_driver.serving.answers import Answers
from dl_driver.serving.objects import slices, without_overlaps
from dl_driver.storage.base import Piece

KEY = "/bucket/train/img_07_of_64.npz"


@pytest.fixture(scope="module")
def answers():
    workload = load("demo", ["dataset.record_length_bytes=250000"]).workload
    return Answers((training_files(workload), evaluation_files(workload)))


def ask(answers, path, *headers, method="GET", version="HTTP/1.1"):
    """Status, headers, body."""
    answer = answers.of("".join(f"{line}\r\n" for line in [f"{method} {path} {version}", *headers]).encode())
    head, _, body = (answer.start + b"".join(answer.rest)).partition(b"\r\n\r\n")
    assert len(body) == answer.body_bytes
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), dict(field.split(": ", 1) for field in fields), body


def test_an_object_is_a_file_that_numpy_reads(answers):
    status, headers, body = ask(answers, KEY)
    assert status == 200
    assert int(headers["Content-Length"]) == len(body)
    with np.load(io.BytesIO(body)) as arrays:
        assert arrays["x"].shape == (500, 500, 1)
        assert not arrays["x"].any()


@pytest.mark.parametrize("header", ["Range", "range", "x-ms-range"])
def test_ranges_are_parts_of_the_object(answers, header):
    whole = ask(answers, KEY)[2]
    size = len(whole)
    for asked, start, end in (("0-0", 0, 1), ("10-99", 10, 100), ("249900-", 249_900, size), ("-20", size - 20, size)):
        status, headers, body = ask(answers, KEY, f"{header}: bytes={asked}")
        assert (status, body) == (206, whole[start:end])
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    status, headers, _ = ask(answers, KEY, f"{header}: bytes={size}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")


def test_signed_requests_that_differ_in_a_header_alone_are_told_apart(answers):
    whole = ask(answers, KEY)[2]
    signed = f"Authorization: AWS4-HMAC-SHA256 Credential=key, Signature={64 * 'a'}"
    other = f"Authorization: AWS4-HMAC-SHA256 Credential=key, Signature={64 * 'b'}"
    keyed = f"Authorization: SharedKey account:{43 * 'a'}="
    for line in (signed, other, keyed):
        for _ in range(2):
            assert ask(answers, KEY, "Host: here", line)[::2] == (200, whole)
            assert ask(answers, KEY, "Host: here", line, "Range: bytes=1-2")[::2] == (206, whole[1:3])
            assert ask(answers, KEY, "Host: here", "Range: bytes=1-2", line)[::2] == (206, whole[1:3])
            head = f"GET {KEY} HTTP/1.1\r\nHost: here\r\n{line}\r\n"
            assert not answers.of(head.encode()).closes
            assert answers.of(f"{head}Connection: close\r\n".encode()).closes
            assert answers.of(head.replace("HTTP/1.1", "HTTP/1.0").encode()).closes
            assert answers.of(head.replace("here", "here\r\nConnection: close").encode()).closes


def test_head_tells_the_length_and_sends_nothing(answers):
    status, headers, body = ask(answers, KEY, method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(ask(answers, KEY)[2])


def test_the_three_ways_to_write_a_path_read_the_same(answers):
    same = ask(answers, KEY)[2]
    assert ask(answers, "/account/container/train/img_07_of_64.npz", "x-ms-version: 2021-12-02")[2] == same
    assert ask(answers, "/storage/v1/b/bucket/o/train%2Fimg_07_of_64.npz?alt=media")[2] == same
    told = json.loads(ask(answers, "/storage/v1/b/bucket/o/train%2Fimg_07_of_64.npz")[2])
    assert (told["name"], int(told["size"])) == ("train/img_07_of_64.npz", len(same))


def test_missing_objects_are_told_in_each_storages_words(answers):
    status, _, body = ask(answers, "/bucket/train/nothing")
    assert (status, ET.fromstring(body).findtext("Code")) == (404, "NoSuchKey")
    status, headers, _ = ask(answers, "/account/container/x", "x-ms-version: 2021-12-02")
    assert (status, headers["x-ms-error-code"]) == (404, "BlobNotFound")
    status, _, body = ask(answers, "/storage/v1/b/bucket/o/x")
    assert (status, json.loads(body)["error"]["code"]) == (404, 404)


def test_a_listing_in_pages(answers):
    tag = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    keys, token = [], ""
    while True:
        page = ET.fromstring(
            ask(answers, f"/bucket?list-type=2&prefix=a/train/&max-keys=30&continuation-token={token}")[2]
        )
        keys += [one.findtext(f"{tag}Key") for one in page.findall(f"{tag}Contents")]
        if page.findtext(f"{tag}IsTruncated") == "false":
            break
        token = page.findtext(f"{tag}NextContinuationToken")
    assert keys == [f"a/train/img_{index:02d}_of_64.npz" for index in range(64)]
    sizes = {int(one.findtext(f"{tag}Size")) for one in page.findall(f"{tag}Contents")}
    assert sizes == {len(ask(answers, KEY)[2])}


def test_a_bad_token_is_the_clients_mistake(answers):
    assert ask(answers, "/bucket?list-type=2&continuation-token=x")[0] == 400


def test_what_is_no_read_ends_the_connection(answers):
    status, headers, _ = ask(answers, KEY, "Content-Length: 10", method="PUT")
    assert (status, headers["Connection"]) == (405, "close")
    assert ask(answers, KEY, "Connection: close")[1]["Connection"] == "close"
    assert "Connection" not in ask(answers, KEY, "Connection: keep-alive")[1]
    assert ask(answers, KEY, version="HTTP/1.0")[1]["Connection"] == "close"
    assert ask(answers, "nonsense", version="")[0] == 400


def test_patches_are_laid_over_what_they_patch():
    laid = without_overlaps([Piece(0, b"abcdefgh"), Piece(20, b"xyz"), Piece(2, b"12"), Piece(22, b"3")])
    file = SparseFile(25, tuple(laid))
    expected = b"ab12efgh" + bytes(12) + b"xy3" + bytes(2)
    for start in range(26):
        for end in range(start, 26):
            assert b"".join(slices(file, start, end)) == expected[start:end]
