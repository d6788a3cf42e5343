# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""az:// on Azurite and gs:// on fake-gcs-server: the same data as file://, and refusals that say the way out."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import AzureStore, GCSStore

import dl_driver
from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Read, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.testing.azurite import AzureServer
from dl_driver.testing.fake_gcs import GcsServer
from dl_driver.testing.seaweedfs import S3Server

PLAIN = {"allow_http": True}
DEMO = ["dataset.record_length_bytes=200000", "dataset.num_files_train=24", "train.computation_time=0.001"]
COMMAND = os.path.join(os.path.dirname(sys.executable), "dl-driver")


class Cloud:
    """A container or bucket of one test."""

    def __init__(self, uri: str, options: Mapping[str, object], theirs: AzureStore | GCSStore | None) -> None:
        self.uri, self.options = uri, dict(options)
        self.theirs = theirs
        """Another client of the same container."""

    def open(self, folder: str = "", **other: object) -> Storage:
        options = ObjectStoreOptions.of_mapping({**self.options, **other})
        return open_storage(f"{self.uri}{folder}", StorageSettings(options=options))


@pytest.fixture
def azure(azure_server: AzureServer, azure_container: str) -> Cloud:
    server = azure_server
    options = {"secret_access_key": server.account_key, "endpoint_url": server.endpoint_url, "s3_max_attempts": 2}
    store = AzureStore(
        container_name=azure_container,
        account_name=server.account,
        account_key=server.account_key,
        endpoint=server.endpoint_url,
        client_options=PLAIN,
    )
    return Cloud(f"az://{server.account}/{azure_container}", options, store)


@pytest.fixture
def gcs(gcs_server: GcsServer, gcs_bucket: str) -> Cloud:
    options = {"anonymous": True, "endpoint_url": gcs_server.endpoint_url, "s3_max_attempts": 2}
    config = {"base_url": gcs_server.endpoint_url, "skip_signature": True}
    return Cloud(f"gs://{gcs_bucket}", options, GCSStore(gcs_bucket, config=config, client_options=PLAIN))


@pytest.fixture(params=["azure", "gcs"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return request.getfixturevalue(request.param)


def read(storage: Storage, key: str, length: int, offset: int = 0) -> tuple[bytes, int]:
    """The bytes of one read and the requests that it took."""
    queue, buffer = storage.open_reader(8), bytearray(length)
    try:
        queue.submit([Read(key, offset, length, memoryview(buffer), 7)])
        done = []
        while not done:
            done = list(queue.wait())
        if done[0].error:
            raise done[0].error
        return bytes(buffer[: done[0].length]), queue.report().requests
    finally:
        queue.close()


def run_demo(cloud_or_folder: Cloud | Path, results: Path) -> str:
    """Generate, train and evaluate; everything the run wrote, as text."""
    if isinstance(cloud_or_folder, Path):
        place, options = f"file://{cloud_or_folder}", {}
    else:
        place, options = f"{cloud_or_folder.uri}/demo", cloud_or_folder.options
    changes = [f"storage.storage_options.{name}={value}" for name, value in options.items() if "secret" not in name]
    environment = {**os.environ, "AZURE_BLOB_KEY": str(options.get("secret_access_key", ""))}
    ran = subprocess.run(
        [COMMAND, "run", "demo", "--results", str(results), f"dataset.data_folder={place}", *DEMO, *changes],
        capture_output=True, text=True, env=environment, check=False, timeout=110,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    assert list(results.rglob("run.json")), ran.stderr
    return (
        ran.stdout
        + ran.stderr
        + "".join(path.read_bytes().decode("latin-1") for path in results.rglob("*") if path.is_file())
    )


def contents(cloud: Cloud) -> dict[str, str]:
    """The digest of every object, as the other client reads them."""
    found = {}
    for page in cloud.theirs.list("demo"):
        for item in page:
            data = cloud.theirs.get(item["path"]).bytes()
            found[item["path"].removeprefix("demo/")] = hashlib.sha256(memoryview(data)).hexdigest()
    return found


def test_the_demo_is_the_same_as_on_files(cloud: Cloud, tmp_path: Path) -> None:
    written = run_demo(cloud, tmp_path / "cloud")
    run_demo(tmp_path / "data", tmp_path / "files")
    expected = {
        path.relative_to(tmp_path / "data").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "data").rglob("*.npz")
    }
    assert len(expected) == 24 + 8
    assert contents(cloud) == expected
    secret = cloud.options.get("secret_access_key")
    assert secret is None or str(secret) not in written
    told = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("cloud", "files")]
    assert told[0]["access_order"] == told[1]["access_order"]
    assert told[0]["loader"]["engine"] == "http"

    def order(uri: str, options: Mapping[str, object]) -> list[tuple[str, str]]:
        with dl_driver.open_loader(uri, batch_size=4, shuffle=True, seed=3, storage_options=options) as loader:
            return [
                (key, hashlib.sha256(sample["x"].tobytes()).hexdigest())
                for _ in range(2)
                for batch in loader
                for key, sample in zip(batch.keys, batch, strict=True)
            ]

    assert order(f"{cloud.uri}/demo/train", cloud.options) == order(f"file://{tmp_path}/data/train", {})


@pytest.mark.parametrize("size", [0, 1, 1000, (8 << 20) - 1, (8 << 20) + 1, 33_000_001])
def test_what_is_written_is_what_others_read(cloud: Cloud, size: int) -> None:
    data = os.urandom(size)
    pieces = [Piece(0, data[:500]), Piece(500, data[500:])] if size > 500 else [Piece(0, data)]
    storage = cloud.open("/a b")
    assert storage.put("x/ü%&+.bin", pieces) == size
    assert bytes(cloud.theirs.get("a b/x/ü%&+.bin").bytes()) == data
    assert storage.stat("x/ü%&+.bin").size == size
    assert read(storage, "x/ü%&+.bin", max(1, size))[0] == data


def test_patches_are_in_what_is_written(cloud: Cloud) -> None:
    data = bytearray(os.urandom(9_000_000))
    storage = cloud.open()
    storage.put("patched", [Piece(0, bytes(data)), Piece(3, b"new"), Piece(8_999_990, b"end")])
    data[3:6], data[8_999_990:8_999_993] = b"new", b"end"
    assert bytes(cloud.theirs.get("patched").bytes()) == bytes(data)


def test_a_large_object_is_read_in_ranges_at_the_same_time(cloud: Cloud) -> None:
    data = os.urandom(40_000_003)
    cloud.open().put("large", [Piece(0, data)])
    found, requests = read(cloud.open(range_size=4 << 20), "large", len(data))
    assert found == data
    assert requests == 10
    assert read(cloud.open(), "large", 1000, 39_999_500)[0] == data[39_999_500:]
    assert read(cloud.open(), "large", 1000, 50_000_000)[0] == b""


def test_listing_and_deleting(cloud: Cloud) -> None:
    storage = cloud.open("/root")
    for number in range(12):
        storage.put(f"train/{number}", [Piece(0, b"x" * number)])
    cloud.open().put("rootless", [Piece(0, b"another")])
    assert {info.key: info.size for info in storage.list()} == {f"train/{number}": number for number in range(12)}
    storage.delete([f"train/{number}" for number in range(11)] + ["train/none"])
    assert [info.key for info in storage.list("train")] == ["train/11"]
    storage.delete([])


def test_an_object_that_is_not_there(cloud: Cloud) -> None:
    for look in (lambda: read(cloud.open(), "none", 1), lambda: cloud.open().stat("none")):
        with pytest.raises(NotFoundError, match=r"/none: .*no such object; generate the data set"):
            look()


def test_who_am_i_shows_no_secret(cloud: Cloud) -> None:
    told = cloud.open().who_am_i()
    assert cloud.uri.split("/")[-1] in told
    assert str(cloud.options.get("secret_access_key", "no secret")) not in told


def test_a_refused_connection_names_the_endpoint(cloud: Cloud) -> None:
    storage = cloud.open(endpoint_url="http://127.0.0.1:9/tests")
    for do in (lambda: list(storage.list()), lambda: storage.put("k", [Piece(0, b"x")]), lambda: read(storage, "k", 1)):
        with pytest.raises(UnreachableError, match=r"http://127.0.0.1:9\b.*refused: is the server running"):
            do()


def test_a_name_that_does_not_exist(cloud: Cloud) -> None:
    storage = cloud.open(endpoint_url="http://nowhere.invalid")
    for do in (lambda: list(storage.list()), lambda: storage.put("k", [Piece(0, b"x")]), lambda: read(storage, "k", 1)):
        with pytest.raises(StorageError, match=r"nowhere.invalid.*cannot be resolved.*endpoint_url"):
            do()


def every_operation(storage: Storage) -> list:
    return [
        lambda: list(storage.list()),
        lambda: storage.put("k", [Piece(0, b"x")]),
        lambda: storage.stat("k"),
        lambda: read(storage, "k", 1),
        lambda: storage.delete(["k"]),
    ]


def test_a_wrong_azure_key_is_refused(azure: Cloud) -> None:
    wrong = base64.b64encode(b"a wrong key for this account").decode()
    for do in every_operation(azure.open(secret_access_key=wrong)):
        with pytest.raises(StorageError, match=r"check the account and its key.*AZURE_STORAGE_ACCOUNT_KEY") as raised:
            do()
        assert wrong not in str(raised.value)


def test_an_azure_key_that_is_none_is_not_shown(azure: Cloud) -> None:
    with pytest.raises(StorageError, match="is no Base64") as raised:
        list(azure.open(secret_access_key="no_base_64!").list())
    assert "no_base_64!" not in str(raised.value)


def test_a_missing_container(azure: Cloud) -> None:
    azure.uri = azure.uri.rpartition("/")[0] + "/nowhere"
    storage = azure.open()
    for do in (lambda: list(storage.list()), lambda: storage.put("k", [Piece(0, b"x")]), lambda: read(storage, "k", 1)):
        with pytest.raises(StorageError, match="there is no such container in this account: create it"):
            do()


def test_a_missing_bucket(gcs: Cloud) -> None:
    gcs.uri = "gs://nowhere"
    with pytest.raises(StorageError, match="there is no such bucket: create it"):
        gcs.open().put("k", [Piece(0, b"x")])
    with pytest.raises(StorageError, match="cannot list gs://nowhere"):
        list(gcs.open().list())


def account_sas(server: AzureServer, ends: datetime) -> str:
    """A SAS for everything in the account, signed as Azure's documentation says (version 2018-11-09)."""
    import hmac
    from urllib.parse import urlencode

    until = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{server.account}\nrwdlac\nb\nsco\n\n{until}\n\n\n2018-11-09\n"
    digest = hmac.digest(base64.b64decode(server.account_key), text.encode(), "sha256")
    fields = {"sv": "2018-11-09", "ss": "b", "srt": "sco", "sp": "rwdlac", "se": until}
    return urlencode({**fields, "sig": base64.b64encode(digest).decode()})


def test_a_sas_opens_the_container(azure_server: AzureServer, azure: Cloud) -> None:
    sas = account_sas(azure_server, datetime.now(UTC) + timedelta(hours=1))
    storage = azure.open(secret_access_key=None, session_token=f"?{sas}")
    data = os.urandom(9_000_000)
    storage.put("a b", [Piece(0, data)])
    assert read(storage, "a b", len(data))[0] == data
    assert [info.key for info in storage.list()] == ["a b"]
    assert "with a SAS until 20" in storage.who_am_i()
    storage.delete(["a b"])
    assert list(storage.list()) == []


def test_a_sas_that_has_ended(azure_server: AzureServer, azure: Cloud) -> None:
    sas = account_sas(azure_server, datetime.now(UTC) - timedelta(hours=1))
    storage = azure.open(secret_access_key=None, session_token=sas)
    for do in every_operation(storage):
        with pytest.raises(StorageError, match=r"SAS") as raised:
            do()
        assert sas[-20:] not in str(raised.value)


def test_hmac_keys_sign_as_amazons_do(s3_server: S3Server, s3_bucket: str) -> None:
    """On a server of S3, since Google's XML interface takes the same signatures and no emulator has it."""
    keys = {"access_key_id": s3_server.access_key_id, "secret_access_key": s3_server.secret_access_key}
    cloud = Cloud(f"gs://{s3_bucket}", {**keys, "endpoint_url": s3_server.endpoint_url}, None)
    storage, data = cloud.open("/a b"), os.urandom(20_000_000)
    storage.put("x/ü+.bin", [Piece(0, data)])
    assert read(storage, "x/ü+.bin", len(data))[0] == data
    assert [(info.key, info.size) for info in storage.list()] == [("x/ü+.bin", len(data))]
    storage.delete(["x/ü+.bin", "none"])
    assert list(storage.list()) == []
    wrong = cloud.open(secret_access_key="not the secret", s3_max_attempts=1)
    for do in every_operation(wrong)[1:2] + every_operation(wrong)[3:]:
        with pytest.raises(StorageError, match="secret does not belong to the access key") as raised:
            do()
        assert "not the secret" not in str(raised.value)
