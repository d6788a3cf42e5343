# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3:// on SeaweedFS: the same data as file://, writes that are checked, faults, refusals, and no secret anywhere."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from dl_driver.dataset.listing import Listing
from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.loader import open_loader
from dl_driver.storage import open_storage
from dl_driver.storage.base import ObjectInfo, Piece, Read, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.s3_upload import PART_BYTES
from dl_driver.testing.fault_plan import Fault, FaultPlan
from dl_driver.testing.faults import fault_proxy
from dl_driver.testing.seaweedfs import S3Server

DEMO = ["dataset.record_length_bytes=100000", "dataset.num_files_train=24", "train.computation_time=0.001"]
COMMAND = os.path.join(os.path.dirname(sys.executable), "dl-driver")
SECRETS = {"access_key_id": "KEYIDKEYID", "secret_access_key": "TOPSECRETVALUE"}


def options_of(server: S3Server) -> dict[str, object]:
    return {
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "endpoint_url": server.endpoint_url,
    }


def open_s3(server: S3Server, uri: str, **other: object) -> Storage:
    return open_storage(uri, StorageSettings(options=ObjectStoreOptions.of_mapping({**options_of(server), **other})))


@pytest.fixture(scope="module")
def s3_bucket(s3_server: S3Server) -> str:
    """One for all tests, since SeaweedFS sets volumes aside for each bucket; the tests use folders of their own."""
    s3_server.make_bucket("s3-tests")
    return "s3-tests"


@pytest.fixture
def boto(s3_server: S3Server) -> "Iterator[object]":
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint_url,
        aws_access_key_id=s3_server.access_key_id,
        aws_secret_access_key=s3_server.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def read(storage: Storage, key: str, length: int, offset: int = 0) -> bytes:
    queue, into = storage.open_reader(4), memoryview(bytearray(length))
    try:
        queue.submit([Read(key, offset, length, into, 1)])
        while not (done := queue.wait(5_000_000_000)):
            pass
        if done[0].error is not None:
            raise done[0].error
        return bytes(into[: done[0].length])
    finally:
        queue.close()


def test_what_boto3_wrote_is_read(s3_server: S3Server, s3_bucket: str, boto: "boto3.client") -> None:  # type: ignore[valid-type]
    content = os.urandom(50_000)
    boto.put_object(Bucket=s3_bucket, Key="set/a b+c/ü.bin", Body=content)  # type: ignore[attr-defined]
    storage = open_s3(s3_server, f"s3://{s3_bucket}/set")
    assert read(storage, "a b+c/ü.bin", 60_000) == content
    assert read(storage, "a b+c/ü.bin", 1000, 49_500) == content[49_500:]
    assert storage.stat("a b+c/ü.bin") == ObjectInfo("a b+c/ü.bin", 50_000)


@pytest.mark.parametrize("size", [0, 1, 70_000, PART_BYTES, 2 * PART_BYTES + 12_345])
def test_what_is_written_boto3_reads(
    s3_server: S3Server,
    s3_bucket: str,
    boto: "boto3.client",
    size: int,  # type: ignore[valid-type]
) -> None:
    content = bytearray(os.urandom(size))
    storage = open_s3(s3_server, f"s3://{s3_bucket}/out")
    pieces = [Piece(0, bytes(content[: size // 2])), Piece(size // 2, bytes(content[size // 2 :]))]
    if size > 4:
        pieces.append(Piece(1, b"CRC"))
        content[1:4] = b"CRC"
    assert storage.put("x/y", pieces) == size
    answer = boto.get_object(Bucket=s3_bucket, Key="out/x/y")  # type: ignore[attr-defined]
    assert answer["Body"].read() == bytes(content)
    assert read(storage, "x/y", size + 10, 0) == bytes(content)
    assert [info for info in storage.list() if info.key == "x/y"] == [ObjectInfo("x/y", size)]
    storage.delete(["x/y", "never there"])
    with pytest.raises(NotFoundError, match="x/y"):
        storage.stat("x/y")


def test_a_part_that_changes_on_its_way_is_refused(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dl_driver.storage.s3_upload.crc32c", lambda body: 12345)
    with pytest.raises(StorageError, match=r"cannot write s3://.*/a: .*not those that were sent"):
        open_s3(s3_server, f"s3://{s3_bucket}").put("a", [Piece(0, b"body")])
    with pytest.raises(StorageError, match=r"cannot write s3://.*/a: "):
        open_s3(s3_server, f"s3://{s3_bucket}").put("a", [Piece(0, bytes(PART_BYTES + 1))])


def test_listing_is_streamed_over_pages(s3_server: S3Server, s3_bucket: str) -> None:
    storage = open_s3(s3_server, f"s3://{s3_bucket}/many")
    for number in range(1050):
        storage.put(f"train/{number:05d}", [Piece(0, b"x" * (number % 3))])
    names = sorted(info.key for info in storage.list("train"))
    assert names == [f"train/{number:05d}" for number in range(1050)]
    listing = Listing(storage.list())
    assert len(listing) == 1050
    assert listing.stat("train/00002").size == 2
    with pytest.raises(NotFoundError):
        listing.stat("train/99999")


def test_wrong_keys_buckets_and_objects_say_the_way_out(s3_server: S3Server, s3_bucket: str) -> None:
    open_s3(s3_server, f"s3://{s3_bucket}").put("a", [Piece(0, b"x")])
    for other, words in (
        ({"secret_access_key": "wrong"}, "secret key does not belong"),
        ({"access_key_id": "nobody"}, "does not know the access key"),
        ({"anonymous": True}, "no permission"),
    ):
        storage = open_s3(s3_server, f"s3://{s3_bucket}", **other)
        for operation in (lambda: read(storage, "a", 10), lambda: storage.put("b", [Piece(0, b"x")])):  # noqa: B023
            with pytest.raises(StorageError, match=words) as caught:
                operation()
            assert caught.value.exit_status == 2
    with pytest.raises(NotFoundError, match="no such object"):
        read(open_s3(s3_server, f"s3://{s3_bucket}"), "missing", 10)
    with pytest.raises(StorageError, match="no such bucket"):
        read(open_s3(s3_server, "s3://no-such-bucket-here"), "a", 10)


def test_faults_lose_nothing_and_are_counted(s3_server: S3Server, s3_bucket: str) -> None:
    storage = open_s3(s3_server, f"s3://{s3_bucket}/f")
    contents = {f"{number:03d}": os.urandom(30_000) for number in range(60)}
    for key, content in contents.items():
        storage.put(key, [Piece(0, content)])
    kinds = tuple(kind for kind in Fault if kind is not Fault.LATENCY and kind is not Fault.BANDWIDTH)
    plan = FaultPlan(kinds, share=0.1, stall_s=5.0)
    with fault_proxy(s3_server.endpoint_url, plan) as proxy:
        storage = open_s3(
            s3_server, f"s3://{s3_bucket}/f", endpoint_url=proxy.url, stall_timeout=0.5, first_byte_timeout=0.5
        )
        queue = storage.open_reader(16)
        names = list(contents) * 3
        buffers = [memoryview(bytearray(40_000)) for _ in names]
        for start in range(0, len(names), 16):
            tags = range(start, min(start + 16, len(names)))
            queue.submit([Read(names[tag], 0, 40_000, buffers[tag], tag) for tag in tags])
            left = len(tags)
            while left:
                for done in queue.wait(5_000_000_000):
                    assert done.error is None
                    assert bytes(buffers[done.tag][: done.length]) == contents[names[done.tag]]
                    left -= 1
        report, broken = queue.report(), proxy.counts().total_broken
        queue.close()
    assert broken > 5
    assert sum(report.retries.values()) >= broken * 0.8


def run(arguments: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_"))}
    return subprocess.run(
        [COMMAND, *arguments], env=clean | dict(environment), capture_output=True, text=True, timeout=110, check=False
    )


def test_the_demo_workload_is_that_of_file(s3_server: S3Server, s3_bucket: str, tmp_path: Path) -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": s3_server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_access_key,
        "S3_ENDPOINT": s3_server.endpoint_url,
    }
    orders, hashes = [], []
    for number, folder in enumerate((f"s3://{s3_bucket}/demo", f"file://{tmp_path}/demo")):
        results = tmp_path / f"results{number}"
        done = run(
            ["run", "demo", f"dataset.data_folder={folder}", *DEMO, "--results", str(results), "--max-epochs", "2"],
            environment,
        )
        assert done.returncode in (0, 1), done.stderr
        told = json.loads((results / "run.json").read_text())
        orders.append(told["access_order"])
        storage = open_s3(s3_server, folder) if number == 0 else open_storage(folder)
        found = sorted(storage.list(), key=lambda info: info.key)
        hashes.append([(info.key, hashlib.sha256(read(storage, info.key, info.size)).hexdigest()) for info in found])
        if number == 0:
            assert told["loader"]["engine"] == "http"
            assert told["loader"]["requests"] >= 48
            assert told["loader"]["retries"] == {}
    assert orders[0] == orders[1]
    assert len(hashes[0]) >= 24
    assert hashes[0] == hashes[1]
    again = run(
        ["generate", "demo", f"dataset.data_folder=s3://{s3_bucket}/demo", *DEMO, "--skip-existing"], environment
    )
    assert "generated 0 files" in again.stderr


def test_dlios_storage_section(s3_server: S3Server, s3_bucket: str, tmp_path: Path) -> None:
    given = [
        "storage.storage_type=s3",
        f"storage.storage_root={s3_bucket}",
        "dataset.data_folder=dlio/demo",
        f"storage.storage_options.endpoint_url={s3_server.endpoint_url}",
        f"storage.storage_options.access_key_id={s3_server.access_key_id}",
        f"storage.storage_options.secret_access_key={s3_server.secret_access_key}",
        "storage.storage_options.s3_force_path_style=true",
        "storage.storage_options.storage_library=s3dlio",
    ]
    done = run(["generate", "demo", *DEMO, *given], {})
    assert done.returncode == 0, done.stderr
    assert "storage_library" in done.stderr
    assert any(info.key.startswith("train/") for info in open_s3(s3_server, f"s3://{s3_bucket}/dlio/demo").list())


def test_no_secret_in_anything_that_a_run_writes(s3_server: S3Server, s3_bucket: str, tmp_path: Path) -> None:
    """With keys that the server refuses and with those that it takes, in the workload and in an environment file."""
    workload = f"dataset.data_folder=s3://{s3_bucket}/quiet"
    refused = [f"storage.storage_options.{key}={value}" for key, value in SECRETS.items()]
    address = f"storage.storage_options.endpoint_url={s3_server.endpoint_url}"
    env_file = tmp_path / "keys.env"
    env_file.write_text(
        f"AWS_ACCESS_KEY_ID={s3_server.access_key_id}\nAWS_SECRET_ACCESS_KEY={s3_server.secret_access_key}\n"
    )
    good = [
        f"storage.storage_options.access_key_id={s3_server.access_key_id}",
        f"storage.storage_options.secret_access_key={s3_server.secret_access_key}",
    ]
    results = tmp_path / "results"
    said = []
    for arguments in (
        ["run", "demo", workload, address, *DEMO, *refused, "--results", str(results / "a"), "-v"],
        [
            "run",
            "demo",
            workload,
            address,
            *DEMO,
            "--env-file",
            str(env_file),
            "--results",
            str(results / "b"),
            "--mlperf",
        ],
        ["run", "demo", workload, address, *DEMO, *good, "--results", str(results / "c"), "-v"],
        ["run", "demo", workload, address, *DEMO, *refused, "--pretty"],
        ["validate", "demo", workload, address, *DEMO, *refused, "--to-json"],
        ["validate", "demo", workload, "storage.storage_options.secret_access_key=[TOPSECRETVALUE]"],
        ["validate", "demo", *refused, "storage.options.secret_access_key=TOPSECRETVALUE2"],
        ["plan", "demo", workload, address, *DEMO, *refused],
    ):
        done = run(arguments, {})
        said.append(done.stdout + done.stderr)
    written = [path.read_bytes() for path in results.rglob("*") if path.is_file()]
    assert len(written) > 8
    texts = [text.encode() for text in said] + written
    for secret in (*SECRETS.values(), s3_server.secret_access_key):
        assert not [text for text in texts if secret.encode() in text]


def test_a_server_that_dies_ends_the_run_with_status_1(tmp_path: Path) -> None:
    done = run(
        ["run", "demo", "dataset.data_folder=s3://bucket/demo", *DEMO, "--results", str(tmp_path / "r")],
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    )
    assert done.returncode == 1, done.stderr
    assert "http://127.0.0.1:9" in done.stderr
    assert "refused" in done.stderr


def test_the_loader_reads_with_options(s3_server: S3Server, s3_bucket: str) -> None:
    import io

    import numpy as np

    storage = open_s3(s3_server, f"s3://{s3_bucket}/np")
    for number in range(6):
        text = io.BytesIO()
        np.save(text, np.full(100, number, np.uint8))
        storage.put(f"{number}.npy", [Piece(0, text.getvalue())])
    with open_loader(f"s3://{s3_bucket}/np", batch_size=2, storage_options=options_of(s3_server), workers=2) as loader:
        for _ in range(2):
            batches = list(loader)
            assert sum(len(batch) for batch in batches) == 6
            del batches


def test_unreachable_is_an_error_of_its_own() -> None:
    options = ObjectStoreOptions.of_mapping(
        {"endpoint_url": "http://127.0.0.1:9", "anonymous": True, "s3_max_attempts": 1}
    )
    storage = open_storage("s3://b", StorageSettings(options=options))
    with pytest.raises(UnreachableError):
        storage.stat("a")
    with pytest.raises(UnreachableError):
        storage.put("a", [Piece(0, b"")])
