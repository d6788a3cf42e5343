# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where az:// and gs:// point, who asks there, and what their servers' errors become."""

import pytest

from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage import azure_failures, gcs_failures, open_storage
from dl_driver.storage.azure_failures import FAILURES
from dl_driver.storage.base import StorageSettings
from dl_driver.storage.engines.http_service import Judgement
from dl_driver.storage.options import ObjectStoreOptions


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of a provider is set."""
    import os

    for name in list(os.environ):
        if name.startswith(("AZURE_", "GOOGLE_", "GCS_", "STORAGE_", "CLOUDSDK_")):
            monkeypatch.delenv(name)


def opened(uri: str, **options: object):
    return open_storage(uri, StorageSettings(options=ObjectStoreOptions.of_mapping(options)))


@pytest.mark.parametrize(
    ("uri", "variables", "expected"),
    [
        ("az://acc/cont/a/b", {}, ("acc", "cont", "a/b/")),
        ("az://cont/a", {"AZURE_STORAGE_ACCOUNT_NAME": "acc"}, ("acc", "cont", "a/")),
        ("az://acc/cont/a", {"AZURE_STORAGE_ACCOUNT": "acc"}, ("acc", "cont", "a/")),
        ("az://", {"AZURE_BLOB_ACCOUNT": "acc", "AZURE_BLOB_CONTAINER": "cont"}, ("acc", "cont", "")),
        ("az://cont", {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=aw=="}, ("acc", "cont", "")),
    ],
)
def test_account_container_and_prefix(monkeypatch, uri, variables, expected) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    storage = opened(uri)
    assert (storage.account, storage.container, storage.prefix) == expected


def test_a_uri_without_a_container_is_explained() -> None:
    with pytest.raises(StorageError, match="expected az://account/container/prefix"):
        opened("az://acc")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, ("https://acc.blob.core.windows.net", "/cont/p%20q/")),
        ("http://127.0.0.1:10000/acc", ("http://127.0.0.1:10000", "/acc/cont/p%20q/")),
        ("http://localhost:10000", ("http://localhost:10000", "/acc/cont/p%20q/")),
        ("https://acc.blob.core.chinacloudapi.cn", ("https://acc.blob.core.chinacloudapi.cn", "/cont/p%20q/")),
        ("https://blobs.example.com", ("https://blobs.example.com", "/cont/p%20q/")),
    ],
)
def test_where_an_account_answers(url, expected) -> None:
    storage = opened("az://acc/cont/p q", **({"endpoint_url": url} if url else {}))
    assert (storage.endpoints[0].url, storage.endpoints[0].path) == expected


def test_the_emulator_of_a_connection_string(monkeypatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")
    storage = opened("az://cont")
    assert storage.endpoints[0].path == "/devstoreaccount1/cont/"
    assert len(storage.proof.key) == 64


def test_a_token_or_a_sas_is_told_apart() -> None:
    assert opened("az://a/ccc", session_token="?sv=1&sig=abc%3D").proof.sas == "sv=1&sig=abc%3D"
    assert opened("az://a/ccc", session_token="eyJ0.e30.x").proof.token() == "eyJ0.e30.x"
    assert "sig" not in repr(opened("az://a/ccc", session_token="sv=1&sig=abc").proof)


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "https://storage.googleapis.com"),
        ({"STORAGE_EMULATOR_HOST": "localhost:4443"}, "http://localhost:4443"),
        ({"STORAGE_EMULATOR_HOST": "https://gcs:1"}, "https://gcs:1"),
        ({"GCS_ENDPOINT_URL": "http://gcs:2"}, "http://gcs:2"),
    ],
)
def test_where_a_bucket_answers(monkeypatch, variables, url) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert opened("gs://bucket/p").endpoints[0].url == url
    assert opened("gs://bucket/p").endpoints[0].path == "/bucket/p/"


def test_who_asks_for_a_bucket(monkeypatch) -> None:
    assert opened("gs://b", access_key_id="GOOG1", secret_access_key="hidden").who_am_i() == (
        "the owner of the HMAC key GOOG1, bucket b"
    )
    with pytest.raises(StorageError, match="secret_access_key is missing"):
        opened("gs://b", access_key_id="GOOG1").who_am_i()
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "hidden")
    assert opened("gs://b").who_am_i() == "the owner of a bearer token, bucket b"
    assert opened("gs://b", anonymous=True).identity.token is None


def xml(code: str, detail: str = "") -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>m</Message>{detail}</Error>'.encode()


@pytest.mark.parametrize(
    ("judge", "status", "body", "judgement", "words"),
    [
        (
            azure_failures.FAILURES.judge,
            403,
            xml("AuthenticationFailed", "<D>The MAC signature found</D>"),
            "fail",
            "its key",
        ),
        (
            azure_failures.FAILURES.judge,
            403,
            xml("AuthenticationFailed", "<D>Request date header too old</D>"),
            "fail",
            "clock",
        ),
        (
            azure_failures.FAILURES.judge,
            403,
            xml("AuthenticationFailed", "<D>Signature not valid in the specified time frame: Expiry</D>"),
            "fail",
            "SAS has expired",
        ),
        (
            azure_failures.FAILURES.judge,
            401,
            xml("InvalidAuthenticationInfo", "<D>Lifetime validation failed. The token is expired.</D>"),
            "fail",
            "token has expired",
        ),
        (
            azure_failures.FAILURES.judge,
            403,
            xml("AuthorizationPermissionMismatch"),
            "fail",
            "Storage Blob Data Contributor",
        ),
        (azure_failures.FAILURES.judge, 404, xml("ContainerNotFound"), "fail", "no such container"),
        (azure_failures.FAILURES.judge, 503, xml("ServerBusy"), "slow down", "overloaded"),
        (azure_failures.FAILURES.judge, 500, b"", "retry", "500"),
        (azure_failures.FAILURES.judge, 307, b"", "hand over", ""),
        (
            gcs_failures.FAILURES.judge,
            401,
            b'{"error":{"errors":[{"reason":"authError"}]}}',
            "fail",
            "token has expired",
        ),
        (gcs_failures.FAILURES.judge, 401, b"", "fail", "token has expired"),
        (gcs_failures.FAILURES.judge, 403, xml("RequestTimeTooSkewed"), "fail", "clock"),
        (gcs_failures.FAILURES.judge, 403, xml("SignatureDoesNotMatch"), "fail", "secret does not belong"),
        (
            gcs_failures.FAILURES.judge,
            403,
            b'{"error":{"errors":[{"reason":"forbidden"}]}}',
            "fail",
            "Storage Object User",
        ),
        (gcs_failures.FAILURES.judge, 404, xml("NoSuchBucket"), "fail", "no such bucket"),
        (
            gcs_failures.FAILURES.judge,
            404,
            b'{"error":{"message":"The specified bucket does not exist."}}',
            "fail",
            "bucket",
        ),
        (
            gcs_failures.FAILURES.judge,
            429,
            b'{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}',
            "slow down",
            "overloaded",
        ),
    ],
)
def test_failures_say_the_way_out(judge, status, body, judgement, words) -> None:
    verdict = judge(status, body)
    assert verdict.judgement is Judgement(judgement)
    assert words in verdict.reason
    assert verdict.kind is not NotFoundError


@pytest.mark.parametrize(
    ("judge", "code"), [(azure_failures.FAILURES.judge, "BlobNotFound"), (gcs_failures.FAILURES.judge, "NoSuchKey")]
)
def test_a_missing_object_is_its_own_kind(judge, code) -> None:
    assert judge(404, xml(code)).kind is NotFoundError
    assert judge(404, b"").kind is NotFoundError


def test_aistore_is_pointed_to_its_s3_interface() -> None:
    with pytest.raises(StorageError, match=r"no storage backend for ais://.*storage_type=s3.*endpoint_url=http.*/s3"):
        open_storage("ais://bucket/data")


def test_an_endpoint_may_have_a_path() -> None:
    """As AIStore's S3 interface does."""
    options = ObjectStoreOptions.of_mapping({"endpoint_url": "http://gateway:51080/s3/", "anonymous": True})
    (endpoint,) = open_storage("s3://bucket/set", StorageSettings(options=options)).endpoints  # type: ignore[attr-defined]
    assert endpoint.path == "/s3/bucket/set/"


def test_an_error_of_our_own_is_told_without_the_clients_words_around_it() -> None:
    text = (
        "The operation lacked valid authentication credentials for path External Azure credential provider:"
        " StorageError: az://c/x: no credentials were found: set A\n\nDebug source:\nUnauthenticated { path: 1 }"
    )
    assert FAILURES.explain(None, text) == "az://c/x: no credentials were found: set A"
