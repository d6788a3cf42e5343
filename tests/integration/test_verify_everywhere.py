# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver verify`` on real servers and under permissions; what another client changed is found at its byte."""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from obstore.store import AzureStore, S3Store
from real_command import Ended, dl_driver, without_override_of_permissions

from dl_driver.testing.azurite import AzureServer
from dl_driver.testing.fake_gcs import GcsServer
from dl_driver.testing.seaweedfs import S3Server

PLAIN = {"allow_http": True}
SIZES = (
    "dataset.num_files_train=6",
    "dataset.num_files_eval=2",
    "reader.batch_size=1",
    "reader.batch_size_eval=1",
    "dataset.num_subfolders_train=2",
    "train.computation_time=0.001",
)
FORMATS = {
    "npz of 6 MB": ("dataset.record_length_bytes=6000000",),
    "tfrecord with companions": (
        "dataset.format=tfrecord",
        "dataset.record_length_bytes=100000",
        "dataset.num_samples_per_file=50",
    ),
    "tfrecord packed": ("dataset.format=tfrecord", "dataset.compression=gzip", "dataset.record_length_bytes=100000"),
}


@dataclass
class Place:
    """A bucket of one test."""

    uri: str
    changes: tuple[str, ...]
    environment: Mapping[str, str]
    store: Any
    """Another client of the same bucket."""

    def call(self, command: str, *more: str) -> Ended:
        return dl_driver(
            command, "demo", f"dataset.data_folder={self.uri}/d", *SIZES, *self.changes, *more, "--progress", "none",
            env=self.environment,
        )  # fmt: skip


class OverHttp:
    """The JSON interface of Google Cloud Storage by hand: obstore asks for a token before it writes."""

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._endpoint, self._bucket = endpoint, bucket

    def _call(self, method: str, path: str, data: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self._endpoint + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def _object(self, key: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{urllib.parse.quote(key, safe='')}"

    def get(self, key: str) -> "OverHttp":
        self._last = self._call("GET", self._object(key) + "?alt=media")
        return self

    def bytes(self) -> bytes:
        return self._last

    def put(self, key: str, data: bytes) -> None:
        name = urllib.parse.quote(key, safe="")
        self._call("POST", f"/upload/storage/v1/b/{self._bucket}/o?uploadType=media&name={name}", data)

    def delete(self, key: str) -> None:
        self._call("DELETE", self._object(key))


@pytest.fixture
def s3(s3_server: S3Server, s3_bucket: str) -> Place:
    server = s3_server
    store = S3Store(
        s3_bucket, endpoint=server.endpoint_url, access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key, region="us-east-1", client_options=PLAIN,
    )  # fmt: skip
    environment = {"AWS_ACCESS_KEY_ID": server.access_key_id, "AWS_SECRET_ACCESS_KEY": server.secret_access_key}
    changes = (f"storage.storage_options.endpoint_url={server.endpoint_url}",)
    return Place(f"s3://{s3_bucket}", changes, environment, store)


@pytest.fixture
def azure(azure_server: AzureServer, azure_container: str) -> Place:
    server = azure_server
    store = AzureStore(
        container_name=azure_container, account_name=server.account, account_key=server.account_key,
        endpoint=server.endpoint_url, client_options=PLAIN,
    )  # fmt: skip
    changes = (f"storage.storage_options.endpoint_url={server.endpoint_url}",)
    environment = {"AZURE_BLOB_KEY": server.account_key}
    return Place(f"az://{server.account}/{azure_container}", changes, environment, store)


@pytest.fixture
def gcs(gcs_server: GcsServer, gcs_bucket: str) -> Place:
    store = OverHttp(gcs_server.endpoint_url, gcs_bucket)
    changes = (
        f"storage.storage_options.endpoint_url={gcs_server.endpoint_url}",
        "storage.storage_options.anonymous=true",
    )
    return Place(f"gs://{gcs_bucket}", changes, {}, store)


@pytest.fixture(params=["s3", "azure", "gcs"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


def change(place: Place, key: str, make: Callable[[bytearray], object]) -> None:
    data = bytearray(place.store.get(f"d/{key}").bytes())
    make(data)
    place.store.put(f"d/{key}", bytes(data))


@pytest.mark.parametrize("form", list(FORMATS))
def test_on_a_server(place: Place, form: str) -> None:
    made = place.call("generate", *FORMATS[form])
    assert made.status == 0, made.err
    right = place.call("verify", *FORMATS[form], "--json")
    assert right.status == 0, right.out + right.err
    assert json.loads(right.out)["num_extra"] == 0

    suffix = "npz" if form.startswith("npz") else "tfrecord"
    flipped, cut, gone = (f"train/{n % 2}/img_{n}_of_6.{suffix}" for n in (3, 4, 5))
    size = len(place.store.get(f"d/{cut}").bytes())

    def flip(data: bytearray) -> None:
        data[size - 7] ^= 1

    change(place, flipped, flip)
    change(place, cut, lambda data: data.__delitem__(slice(50_000, None)))
    place.store.delete(f"d/{gone}")
    place.store.put("d/valid/stranger", b"x")
    wrong = place.call("verify", *FORMATS[form], "--json")
    assert wrong.status == 1, wrong.err
    found = json.loads(wrong.out)
    assert [(one["key"], one["kind"], one.get("offset")) for one in found["mismatches"]] == [
        (flipped, "different", size - 7),
        (cut, "shorter", 50_000),
        (gone, "missing", None),
    ]
    assert found["mismatches"][1]["found_size"] == 50_000
    assert (found["num_extra"], found["extra"]) == (1, ["valid/stranger"])
    assert found["num_files_compared"] == 8


def test_a_bucket_that_is_not_there_has_no_files(s3: Place) -> None:
    none = Place(s3.uri + "-none", s3.changes, s3.environment, None)
    ended = none.call("verify")
    assert ended.status == 1, ended.err
    assert "Traceback" not in ended.err
    assert "8 differ or are missing" in ended.out


def test_a_file_without_permission(tmp_path: Path) -> None:
    chosen = ("demo", f"dataset.data_folder={tmp_path}", *SIZES, "dataset.record_length_bytes=2000")
    assert dl_driver("generate", *chosen).status == 0
    path = tmp_path / "train/0/img_2_of_6.npz"
    path.chmod(0)
    ended = dl_driver("verify", *chosen, "--json", prefix=without_override_of_permissions())
    assert ended.status == 1, ended.err
    (one,) = json.loads(ended.out)["mismatches"]
    assert one["kind"] == "unreadable"
    assert one["reason"] == f"cannot read {path}: permission denied; make the file readable for this user"
