# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures against those of botocore, AWS's own library."""

import re
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dl_driver.storage.sigv4 import AwsCredentials, PlainRequests, SignedRequests, quote_key, signed_headers

HOST, REGION = "store.example:9000", "eu-west-3"


def theirs(method: str, url: str, stamp: str, token: str | None, headers: dict[str, str]) -> str:
    class Unsigned(S3SigV4Auth):
        def payload(self, request: AWSRequest) -> str:
            return "UNSIGNED-PAYLOAD"

    request = AWSRequest(method, url, headers={"host": HOST, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", **headers})
    request.headers["X-Amz-Date"] = stamp
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.context["timestamp"] = stamp
    signer = Unsigned(Credentials("AKID", "secret/key+", token), "s3", REGION)
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


@pytest.mark.parametrize("token", [None, "a/token=="])
@pytest.mark.parametrize("key", ["train/img_1_of_2.npz", "a b+c/ü~(1).npz"])
def test_reads_are_signed_as_botocore_does(key: str, token: str | None) -> None:
    requests = SignedRequests(HOST, "/bucket/set/", REGION, lambda: AwsCredentials("AKID", "secret/key+", token))
    text = requests.get(key, 10, 19, '"etag"').decode()
    assert text.startswith(f"GET /bucket/set/{quote(key, safe='/~')} HTTP/1.1\r\nHost: {HOST}\r\n")
    assert '\r\nRange: bytes=10-19\r\nIf-Match: "etag"\r\n\r\n' in text
    stamp = re.search(r"x-amz-date: (\w+)", text)
    signature = re.search(r"Signature=(\w+)", text)
    assert stamp is not None
    assert signature is not None
    url = f"http://{HOST}/bucket/set/{quote(key, safe='/~')}"
    assert signature[1] == theirs("GET", url, stamp[1], token, {})


@pytest.mark.parametrize("token", [None, "token"])
def test_other_requests_are_signed_as_botocore_does(token: str | None) -> None:
    extra = {"x-amz-checksum-crc32c": "AAAAAA=="}
    query = "partNumber=7&uploadId=a%2Fb%3D"
    credentials = AwsCredentials("AKID", "secret/key+", token)
    headers = signed_headers("PUT", HOST, "/bucket/a%20b", REGION, credentials, query=query, extra=extra)
    url = f"http://{HOST}/bucket/a%20b?{query}"
    expected = theirs("PUT", url, headers["x-amz-date"], token, extra)
    assert headers["Authorization"].endswith(f"Signature={expected}")
    assert headers["x-amz-checksum-crc32c"] == "AAAAAA=="


def test_keys_are_quoted_as_s3_signs_them() -> None:
    assert quote_key("plain/key-1_2.3~") == "plain/key-1_2.3~"
    assert quote_key("a b+%&=(ü)") == "a%20b%2B%25%26%3D%28%C3%BC%29"


def test_an_anonymous_request_has_no_signature() -> None:
    text = PlainRequests(HOST, "/bucket/").get("k", None, None, None).decode()
    assert text == f"GET /bucket/k HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: dl-driver\r\n\r\n"


def test_credentials_show_nothing() -> None:
    assert "secret" not in repr(AwsCredentials("AKID", "the-secret", "the-token"))
    assert "token" not in repr(AwsCredentials("AKID", "the-secret", "the-token"))
