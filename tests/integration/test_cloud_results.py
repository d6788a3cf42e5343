# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results sent to object stores, several endpoints, proxies, and credentials that are renewed: on real servers."""

import io
import json
import os
import re
import shutil
import stat
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from real_command import dl_driver

from dl_driver.errors import StorageError
from dl_driver.report.stored import results_at
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Read, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.testing.azurite import AzureServer
from dl_driver.testing.fake_gcs import GcsServer
from dl_driver.testing.fault_plan import Fault, FaultPlan
from dl_driver.testing.faults import fault_proxy
from dl_driver.testing.seaweedfs import S3Server

SMALL = [
    "dataset.record_length_bytes=1000", "dataset.num_files_train=8", "train.computation_time=0.001",
    "workflow.evaluation=false", "train.epochs=2",
]  # fmt: skip
SHARED = ("run.json", "steps.parquet", "summary.json", "dlio.log")


def settings(**options: object) -> StorageSettings:
    return StorageSettings(options=ObjectStoreOptions.of_mapping(options))


def s3_options(server: S3Server) -> dict[str, object]:
    return {
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "endpoint_url": server.endpoint_url,
    }


@pytest.fixture(params=["s3", "az", "gs"])
def place(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """A bucket or container and how it is reached."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        return f"s3://{request.getfixturevalue('s3_bucket')}", s3_options(server)
    if request.param == "az":
        azure: AzureServer = request.getfixturevalue("azure_server")
        options: dict[str, object] = {"secret_access_key": azure.account_key, "endpoint_url": azure.endpoint_url}
        return f"az://{azure.account}/{request.getfixturevalue('azure_container')}", options
    gcs: GcsServer = request.getfixturevalue("gcs_server")
    return f"gs://{request.getfixturevalue('gcs_bucket')}", {"anonymous": True, "endpoint_url": gcs.endpoint_url}


def read(storage: Storage, key: str, size: int) -> bytes:
    queue, into = storage.open_reader(1), memoryview(bytearray(size))
    try:
        queue.submit([Read(key, 0, size, into, 1)])
        (done,) = queue.wait(60_000_000_000)
    finally:
        queue.close()
    assert done.error is None
    return bytes(into[: done.length])


def test_results_of_a_run(place: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    uri, options = place
    given = [f"storage.storage_options.{name}='{value}'" for name, value in options.items()]
    for accelerators in (2, 1):
        ended = dl_driver(
            "run", "demo", f"dataset.data_folder={uri}/data", *SMALL, *given, "--results", f"{uri}/results",
            "--accelerators", accelerators, cwd=tmp_path,
        )  # fmt: skip
        assert ended.status in (0, 1), ended.err
        assert f"results: {uri}/results" in ended.err
        storage = open_storage(f"{uri}/results", settings(**options))
        found = {info.key: info.size for info in storage.list()}
        ranks = {f"{rank}_{name}.json" for rank in range(accelerators) for name in ("output", "per_epoch_stats")}
        assert set(found) == {*SHARED, *ranks}
        summary = json.loads(read(storage, "summary.json", found["summary.json"]))
        assert summary["num_accelerators"] == accelerators
        table = pq.read_table(io.BytesIO(read(storage, "steps.parquet", found["steps.parquet"])))
        assert table.num_rows > 0
    assert not list(tmp_path.iterdir())


def write_two(place: str, options: StorageSettings, before_the_end: Callable[[Path], None]) -> None:
    with results_at(place, options) as folder:
        (folder / "run.json").write_text("{}")
        (folder / "summary.json").write_text("{}")
        before_the_end(folder)


def test_results_that_cannot_be_sent_stay_and_are_named(s3_server: S3Server, s3_bucket: str) -> None:
    place, no_writes = f"s3://{s3_bucket}/broken", frozenset({"PUT"})
    with fault_proxy(s3_server.endpoint_url) as proxy:
        options = settings(**{**s3_options(s3_server), "endpoint_url": proxy.url, "s3_max_attempts": 1})
        plan = FaultPlan([Fault.INTERNAL_ERROR], share=1.0, methods=no_writes)
        with pytest.raises(StorageError, match=r"cannot write s3://.*; the results are in /\S+$") as raised:
            write_two(place, options, lambda _: proxy.program(plan))
    folder = Path(str(raised.value).rpartition(" ")[2])
    assert (folder / "summary.json").read_text() == "{}"
    shutil.rmtree(folder)
    assert list(open_storage(place, settings(**s3_options(s3_server))).list()) == []


def test_a_run_that_fails_sends_nothing(s3_server: S3Server, s3_bucket: str) -> None:
    place, options = f"s3://{s3_bucket}/failed", settings(**s3_options(s3_server))
    folders = []

    def fail(folder: Path) -> None:
        folders.append(folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_two(place, options, fail)
    assert not folders[0].exists()
    assert list(open_storage(place, options).list()) == []


@pytest.mark.parametrize("place", ["null://", "memory://results", "direct:///tmp/results"])
def test_places_that_keep_no_results(place: str) -> None:
    with (
        pytest.raises(StorageError, match=r"expected a folder or an object store .*--results"),
        results_at(place, StorageSettings()),
    ):
        pass


def test_several_endpoints_are_written_and_read_evenly(s3_server: S3Server, s3_bucket: str) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(fault_proxy(s3_server.endpoint_url)) for _ in range(3)]
        for proxy in proxies:
            proxy.program(FaultPlan(methods=frozenset({"PUT"})))
        urls = [proxy.url for proxy in proxies]
        storage = open_storage(f"s3://{s3_bucket}/even", settings(**{**s3_options(s3_server), "endpoint_url": urls}))
        for number in range(12):
            storage.put(f"{number}", [Piece(0, b"x" * number)])
        assert [proxy.counts().answers for proxy in proxies] == [4, 4, 4]
        for proxy in proxies:
            proxy.program(FaultPlan())
        queue = storage.open_reader(6)
        buffers = [memoryview(bytearray(16)) for _ in range(12)]
        queue.submit([Read(f"{number}", 0, 16, buffers[number], number) for number in range(6)])
        lengths: Counter[int] = Counter()
        while len(lengths) < 6:
            lengths.update(done.tag for done in queue.wait(30_000_000_000) if done.error is None)
        queue.close()
        assert [proxy.counts().answers for proxy in proxies] == [2, 2, 2]


def test_what_is_there_already_is_found_by_one_list(s3_server: S3Server, s3_bucket: str) -> None:
    def generate(url: str, *more: str) -> str:
        given = {**s3_options(s3_server), "endpoint_url": url}
        options = [f"storage.storage_options.{name}={value}" for name, value in given.items()]
        ended = dl_driver("generate", "demo", f"dataset.data_folder=s3://{s3_bucket}/set", *SMALL, *options, *more)
        assert ended.status == 0, ended.err
        return ended.err

    assert "generated 8 files" in generate(s3_server.endpoint_url, "dataset.num_files_eval=0")
    with fault_proxy(s3_server.endpoint_url) as proxy:
        proxy.program(FaultPlan(methods=frozenset({"GET", "HEAD", "PUT", "POST"})))
        assert "generated 0 files" in generate(proxy.url, "dataset.num_files_eval=0", "--skip-existing")
        assert proxy.counts().answers == 1


def test_a_proxy_between_is_used(s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads fall back to the general client; the endpoint is a name that only the proxy knows."""
    from http_forwarder import forwarder

    with forwarder(s3_server.endpoint_url) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        options = {**s3_options(s3_server), "endpoint_url": "http://behind.invalid"}
        storage = open_storage(f"s3://{s3_bucket}/proxied", settings(**options))
        storage.put("a", [Piece(0, b"by a proxy")])
        queue, into = storage.open_reader(1), memoryview(bytearray(100))
        queue.submit([Read("a", 0, 100, into, 1)])
        (done,) = queue.wait(30_000_000_000)
        assert done.error is None
        assert bytes(into[: done.length]) == b"by a proxy"
        assert queue.report().engine == "obstore"
        queue.close()
        assert [info.key for info in storage.list()] == ["a"]
        assert proxy.requests >= 3
        assert {"CONNECT", "PUT"} & proxy.methods


@pytest.fixture
def profile(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile whose credentials last five minutes, so that they are renewed whenever they are asked for; each
    renewal leaves a line in the file."""
    asked = tmp_path / "asked"
    program = tmp_path / "credentials.py"
    program.write_text(
        "import datetime, json\n"
        f"open({str(asked)!r}, 'a').write('asked\\n')\n"
        "ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)\n"
        f"print(json.dumps({{'Version': 1, 'AccessKeyId': {s3_server.access_key_id!r},"
        f" 'SecretAccessKey': {s3_server.secret_access_key!r}, 'Expiration': ends.isoformat()}}))\n"
    )
    config = tmp_path / "config"
    config.write_text(
        f"[profile short]\ncredential_process = {sys.executable} {program}\nregion = eu-south-2\n"
        f"endpoint_url = {s3_server.endpoint_url}\n"
    )
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "short")
    return asked


def test_a_profile_that_says_all_and_is_renewed(profile: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dl_driver.storage.sigv4._FRESH_S", 0.0)
    storage = open_storage(f"s3://{s3_bucket}/profile")
    assert storage.region == "eu-south-2"  # type: ignore[attr-defined]
    storage.put("a", [Piece(0, b"1")])
    before = profile.read_text().count("asked")
    queue, into = storage.open_reader(1), memoryview(bytearray(10))
    for _ in range(3):
        queue.submit([Read("a", 0, 10, into, 1)])
        (done,) = queue.wait(30_000_000_000)
        assert done.error is None
    queue.close()
    assert profile.read_text().count("asked") >= before + 3
    assert [info.key for info in storage.list()] == ["a"]


def test_credentials_that_can_no_longer_be_renewed(profile: Path, s3_bucket: str, tmp_path: Path) -> None:
    program = tmp_path / "credentials.py"
    program.write_text(f"import sys\nif {str(profile)!r}: sys.exit('SECRETSECRET is no token')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(StorageError, match=r"s3://.*(found no credentials|could not be renewed)") as raised:
        open_storage(f"s3://{s3_bucket}/x").put("a", [Piece(0, b"1")])
    assert raised.value.exit_status == 2
    assert re.search(r"custom-process failed; run it to see why.*AWS_ACCESS_KEY_ID", str(raised.value))
    assert "SECRETSECRET" not in str(raised.value)
