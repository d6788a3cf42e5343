# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""serve-null as a client that is not ours (obstore) meets it, in the words of each storage."""

import base64
import io

import numpy as np
import pytest
from obstore.store import AzureStore, GCSStore, S3Store

from dl_driver.config import load
from dl_driver.serving.fleet import Address, serving

PLAIN = {"allow_http": True}


@pytest.fixture(scope="module")
def url():
    workload = load("demo", ["dataset.record_length_bytes=250000"]).workload
    with serving(workload, Address()) as fleet:
        yield fleet.url


def s3(url):
    return S3Store(
        "bucket", endpoint=url, access_key_id="any", secret_access_key="any", region="us-east-1", client_options=PLAIN
    )


def azure(url):
    key = base64.b64encode(b"any").decode()
    return AzureStore(
        container_name="container",
        account_name="account",
        account_key=key,
        endpoint=f"{url}/account",
        client_options=PLAIN,
    )


def gcs(url):
    return GCSStore("bucket", config={"base_url": url, "skip_signature": True}, client_options=PLAIN)


@pytest.mark.parametrize("store_of", [s3, azure, gcs])
def test_objects_are_listed_and_read(url, store_of):
    store = store_of(url)
    listed = {item["path"]: item["size"] for page in store.list("data/demo") for item in page}
    assert len(listed) == 64 + 8
    path, size = next(iter(listed.items()))
    assert path == "data/demo/train/img_00_of_64.npz"
    assert store.head(path)["size"] == size
    whole = bytes(store.get(path).bytes())
    assert len(whole) == size
    with np.load(io.BytesIO(whole)) as arrays:
        assert arrays["x"].shape == (500, 500, 1)
    parts = store.get_ranges(path, starts=[0, 200_000], ends=[100, 250_100])
    assert [bytes(part) for part in parts] == [whole[:100], whole[200_000:250_100]]
    with pytest.raises(FileNotFoundError):
        store.get("data/demo/train/nothing")


@pytest.mark.parametrize("store_of", [s3, azure, gcs])
def test_folders_are_listed_as_such(url, store_of):
    store = store_of(url)
    assert list(store.list_with_delimiter("data/demo")["common_prefixes"]) == ["data/demo/train", "data/demo/valid"]
