# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where s3:// points and what says so: the workload, variables, AWS's configuration files."""

import os
from pathlib import Path

import pytest

from dl_driver.errors import StorageError
from dl_driver.storage import open_storage, s3_failures
from dl_driver.storage.azure_account import Proof
from dl_driver.storage.azure_failures import failures_of
from dl_driver.storage.base import StorageSettings
from dl_driver.storage.engines.http_service import Judgement
from dl_driver.storage.gcs_failures import FAILURES as GCS_FAILURES
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.s3 import S3Storage


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file says anything."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def opened(uri: str = "s3://bucket/p", **options: object) -> S3Storage:
    made = open_storage(uri, StorageSettings(options=ObjectStoreOptions.of_mapping(options)))
    assert isinstance(made, S3Storage)
    return made


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ["https://bucket.s3.us-east-1.amazonaws.com/p/"]),
        ({"AWS_REGION": "eu-west-1"}, ["https://bucket.s3.eu-west-1.amazonaws.com/p/"]),
        ({"AWS_S3_ADDRESSING_STYLE": "path"}, ["https://s3.us-east-1.amazonaws.com/bucket/p/"]),
        ({"AWS_ENDPOINT_URL": "http://store:9000"}, ["http://store:9000/bucket/p/"]),
        ({"AWS_ENDPOINT_URL": "http://store", "AWS_S3_ADDRESSING_STYLE": "virtual"}, ["http://bucket.store/p/"]),
        ({"S3_ENDPOINT": "http://rust:1"}, ["http://rust:1/bucket/p/"]),
        ({"S3_ENDPOINT_URIS": "http://a:1, http://b:2"}, ["http://a:1/bucket/p/", "http://b:2/bucket/p/"]),
    ],
)
def test_where_a_bucket_answers(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [endpoint.url + endpoint.path for endpoint in opened().endpoints] == expected


def test_awss_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = eu-north-1\n[profile lab]\nregion = lab-1\nendpoint_url = http://lab:9\n"
    )
    (tmp_path / ".aws" / "credentials").write_text(
        "[lab]\naws_access_key_id = LABKEY\naws_secret_access_key = LABSECRET\n"
    )
    assert opened().region == "eu-north-1"
    assert opened(region="given").region == "given"
    for lab in (opened(profile="lab"), _with(monkeypatch, "AWS_PROFILE", "lab")):
        assert (lab.region, lab.endpoints[0].url) == ("lab-1", "http://lab:9")
        assert lab.credentials is not None
        assert lab.credentials().access_key_id == "LABKEY"
        assert "LABSECRET" not in repr(lab.credentials())
    with pytest.raises(StorageError, match=r"none.*check storage.storage_options.profile"):
        opened(profile="none").credentials  # noqa: B018


def _with(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> S3Storage:
    monkeypatch.setenv(name, value)
    return opened()


def test_identity_without_a_server_shows_no_whole_key() -> None:
    told = opened(access_key_id="KEYIDKEYID", secret_access_key="hidden", endpoint_url="http://127.0.0.1:9").who_am_i()
    assert told == "access key KEYI..., bucket bucket, region us-east-1"
    assert opened(anonymous=True).who_am_i() == "nobody in particular (no credentials), bucket bucket"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>", "eu-west-1"),
        ("<Code>AuthorizationHeaderMalformed</Code><Message>wrong; expecting 'ap-south-1'</Message>", "ap-south-1"),
        ("<Code>PermanentRedirect</Code><Endpoint>b.s3.us-gov-west-1.amazonaws.com</Endpoint>", "us-gov-west-1"),
    ],
)
def test_the_region_of_a_bucket_is_told(text: str, region: str) -> None:
    assert f"lies in the region {region}: set storage" in s3_failures.FAILURES.explain(400, text)


def test_a_redirect_without_a_place_is_a_region() -> None:
    told = s3_failures.FAILURES.explain(None, "Received redirect without LOCATION, this normally indicates")
    assert "another region" in told
    assert s3_failures.FAILURES.judge(301, b"<Code>PermanentRedirect</Code>").judgement is Judgement.HAND_OVER


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (Proof(sas="se=2020-01-01T00%3A00%3A00Z&sig=x"), "the SAS has expired (it ended at 2020-01-01T00:00:00Z)"),
        (Proof(sas="se=2920-01-01&sig=x"), "the server does not accept the SAS"),
        # The claims {"exp": 1} in Base64.
        (Proof(token=lambda: "e30.eyJleHAiOiAxfQ.x"), "the token has expired (it ended at 1970-01-01T00:00:01"),
        (Proof(token=lambda: "opaque"), "the server does not accept the token"),
        (Proof(key=b"key"), "check the account and its key"),
        (Proof(), "check the account and its key"),
    ],
)
def test_what_azure_refuses_without_a_reason(proof: Proof, words: str) -> None:
    assert words in failures_of(proof).explain(403, "<Code>AuthorizationFailure</Code>")


def test_a_name_is_no_error_code() -> None:
    """A bucket may be called like an error."""
    assert "no such bucket" not in GCS_FAILURES.explain(500, "error for http://host/nosuchbucket/key")
    assert "no such bucket" in GCS_FAILURES.explain(404, "<Error><Code>NoSuchBucket</Code></Error>")
