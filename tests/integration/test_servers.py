# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real servers, seen through a client that is not ours (obstore)."""

import base64
import urllib.error
import urllib.request

import pytest
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from dl_driver.testing.azurite import AzureServer
from dl_driver.testing.fake_gcs import GcsServer
from dl_driver.testing.guard import ServerMissingError
from dl_driver.testing.nginx import nginx
from dl_driver.testing.requests import call
from dl_driver.testing.seaweedfs import S3Server

PLAIN = {"allow_http": True}


def s3_store(server: S3Server, bucket: str, secret: str | None = None) -> S3Store:
    return S3Store(
        bucket,
        endpoint=server.endpoint_url,
        access_key_id=server.access_key_id,
        secret_access_key=secret or server.secret_access_key,
        region=server.region,
        client_options=PLAIN,
    )


def azure_store(server: AzureServer, container: str, key: str | None = None) -> AzureStore:
    return AzureStore(
        container_name=container,
        account_name=server.account,
        account_key=key or server.account_key,
        endpoint=server.endpoint_url,
        client_options=PLAIN,
    )


def test_seaweedfs_keeps_objects(s3_server: S3Server, s3_bucket: str) -> None:
    store = s3_store(s3_server, s3_bucket)
    store.put("a/b", b"0123456789")
    assert bytes(store.get_range("a/b", start=2, end=5)) == b"234"
    assert [item["path"] for page in store.list() for item in page] == ["a/b"]


def test_seaweedfs_refuses_a_wrong_secret(s3_server: S3Server, s3_bucket: str) -> None:
    with pytest.raises(BaseError, match=r"(?i)SignatureDoesNotMatch|403|privileges"):
        s3_store(s3_server, s3_bucket, "not-the-secret").put("a", b"x")


def test_azurite_keeps_blobs(azure_server: AzureServer, azure_container: str) -> None:
    store = azure_store(azure_server, azure_container)
    store.put("a/b", b"0123456789")
    assert bytes(store.get_range("a/b", start=2, end=5)) == b"234"


def test_azurite_refuses_a_wrong_key(azure_server: AzureServer, azure_container: str) -> None:
    wrong = base64.b64encode(b"not the key").decode()
    with pytest.raises(BaseError, match=r"(?i)403|AuthorizationFailure|privileges"):
        azure_store(azure_server, azure_container, wrong).put("a", b"x")


def test_fake_gcs_keeps_objects(gcs_server: GcsServer, gcs_bucket: str) -> None:
    url = f"{gcs_server.endpoint_url}/upload/storage/v1/b/{gcs_bucket}/o?uploadType=media&name=a/b"
    call(urllib.request.Request(url, data=b"0123456789", headers={"Content-Type": "application/octet-stream"}))
    store = GCSStore(
        gcs_bucket,
        config={"base_url": gcs_server.endpoint_url, "skip_signature": True},
        client_options=PLAIN,
    )
    assert bytes(store.get_range("a/b", start=2, end=5)) == b"234"


def test_nginx_serves_files(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    try:
        with nginx(tmp_path, workers=1) as server:
            assert call(urllib.request.Request(f"{server.endpoint_url}/a")) == b"0123456789"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                call(urllib.request.Request(f"{server.endpoint_url}/b"))
    except ServerMissingError as missing:
        pytest.skip(str(missing))
