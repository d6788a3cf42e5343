# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3:// through the fault proxy: nothing wrong and nothing missing, and servers that fall silent or die."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

import pytest

from dl_driver.config import load
from dl_driver.dataset.files import evaluation_files, training_files
from dl_driver.processes import WorkerProcess
from dl_driver.serving.answers import Answers
from dl_driver.serving.wire import NullServer
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, QueueReport, Read, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.testing.fault_plan import Fault, FaultPlan
from dl_driver.testing.faults import FaultProxy, fault_proxy
from dl_driver.testing.seaweedfs import S3Server

COMMAND = os.path.join(os.path.dirname(sys.executable), "dl-driver")
OBJECTS, SIZE, IN_FLIGHT = 1000, 1024, 64
TOLD = {
    Fault.RESET: "reset",
    Fault.TRUNCATE: "truncated",
    Fault.INTERNAL_ERROR: "status 500",
    Fault.SLOW_DOWN: "status 503",
    Fault.TOO_MANY_REQUESTS: "status 429",
    Fault.WRONG_RANGE: "wrong range",
    Fault.ERROR_IN_SUCCESS: "error as success",
}
"""Faults that have a name of their own among the retries."""
SLOW = (Fault.LATENCY, Fault.BANDWIDTH)
STALLS = (Fault.STALL_BODY, Fault.STALL_START)


def open_s3(server: S3Server, url: str, bucket: str, **other: object) -> Storage:
    keys = {"access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key}
    options = ObjectStoreOptions.of_mapping({**keys, "endpoint_url": url, **other})
    return open_storage(f"s3://{bucket}/set", StorageSettings(options=options))


@pytest.fixture(scope="module")
def digests(s3_server: S3Server) -> dict[str, bytes]:
    """Of the objects in the bucket ``faults``, all different."""
    s3_server.make_bucket("faults")
    storage, found = open_s3(s3_server, s3_server.endpoint_url, "faults"), {}
    for number in range(OBJECTS):
        content = os.urandom(SIZE)
        storage.put(f"{number:04d}", [Piece(0, content)])
        found[f"{number:04d}"] = blake2b(content).digest()
    return found


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3_server.endpoint_url) as running:
        yield running


def read_all(storage: Storage, digests: dict[str, bytes], samples: int) -> QueueReport:
    """Read one object after the other, so many in all, and look at every byte of each."""
    queue, names = storage.open_reader(IN_FLIGHT), list(digests)
    free = [memoryview(bytearray(2 * SIZE)) for _ in range(IN_FLIGHT)]
    used: dict[int, memoryview] = {}
    begun = arrived = 0
    try:
        while arrived < samples:
            reads = []
            while free and begun < samples:
                used[begun] = free.pop()
                reads.append(Read(names[begun % OBJECTS], 0, 2 * SIZE, used[begun], begun))
                begun += 1
            if reads:
                queue.submit(reads)
            for done in queue.wait(60_000_000_000):
                assert done.error is None
                buffer = used.pop(done.tag)
                assert blake2b(buffer[: done.length]).digest() == digests[names[done.tag % OBJECTS]]
                free.append(buffer)
                arrived += 1
        return queue.report()
    finally:
        queue.close()


@pytest.mark.timeout(400)
def test_of_a_hundred_thousand_samples_none_is_wrong_or_missing(
    s3_server: S3Server, digests: dict[str, bytes], proxy: FaultProxy
) -> None:
    kinds = (*SLOW, *TOLD, *STALLS)
    assert set(kinds) == set(Fault)
    proxy.program(FaultPlan(kinds, share=0.01 * len(kinds), stall_s=30))
    # Every answer is broken, beyond being slow, with a probability of 0.09. In about every other run one of 100,000
    # reads fails five times running (0.09^5 * 100,000 = 0.6), which is all that is tried by default; ten times, none
    # does (4e-6).
    limits = {"first_byte_timeout": 2, "stall_timeout": 2, "s3_max_attempts": 10}
    storage = open_s3(s3_server, proxy.url, "faults", **limits)
    report, counts = read_all(storage, digests, 100_000), proxy.counts()
    for kind in kinds:
        assert 800 < counts.broken[kind] < 1300
    for kind, name in TOLD.items():
        assert 0.9 * counts.broken[kind] <= report.retries[name] <= counts.broken[kind]
    harmful = counts.total_broken - sum(counts.broken[kind] for kind in SLOW)
    assert sum(report.retries.values()) >= harmful
    assert report.requests == 100_000 + sum(report.retries.values())
    assert report.handed_over == 0


def test_every_truncated_body_is_found(s3_server: S3Server, digests: dict[str, bytes], proxy: FaultProxy) -> None:
    proxy.program(FaultPlan([Fault.TRUNCATE], share=0.5))
    storage = open_s3(s3_server, proxy.url, "faults", s3_max_attempts=50, late_share=0)
    some = {name: digests[name] for name in list(digests)[:IN_FLIGHT]}
    queue, buffers = storage.open_reader(IN_FLIGHT), [memoryview(bytearray(2 * SIZE)) for _ in some]
    queue.submit([Read(name, 0, 2 * SIZE, buffers[tag], tag) for tag, name in enumerate(some)])
    done = []
    while len(done) < len(some):
        done += queue.wait()
    found, broken = queue.report().retries.get("truncated", 0), proxy.counts().broken[Fault.TRUNCATE]
    queue.close()
    # Reads that used up the budget of retries end with an error that says so; none ends with wrong bytes.
    for completion, digest in zip(sorted(done), some.values(), strict=True):
        whole = blake2b(buffers[completion.tag][: completion.length]).digest() == digest
        assert whole if completion.error is None else "too early" in str(completion.error)
    assert found + sum(completion.error is not None for completion in done) == broken > 20


def test_a_server_that_falls_silent_is_left_within_the_timeout(
    s3_server: S3Server, digests: dict[str, bytes], proxy: FaultProxy
) -> None:
    for kind, word in ((Fault.STALL_START, "no answer within 0.5 s"), (Fault.STALL_BODY, "no further byte within 0.5")):
        proxy.program(FaultPlan([kind], share=1.0, stall_s=60))
        storage = open_s3(s3_server, proxy.url, "faults", first_byte_timeout=0.5, stall_timeout=0.5, s3_max_attempts=2)
        queue, started = storage.open_reader(1), monotonic()
        queue.submit([Read("0000", 0, SIZE, memoryview(bytearray(SIZE)), 1)])
        (done,) = queue.wait(50_000_000_000)
        queue.close()
        assert monotonic() - started < 20  # two timeouts and a pause, on a machine that does other things too
        assert word in str(done.error)
        assert "2 attempts failed" in str(done.error)


def begin_run(url: str, results: Path, *more: str) -> "subprocess.Popen[str]":
    """A run that would take a long time."""
    arguments = [
        "run", "demo", "--results", str(results), "workflow.generate_data=false", "dataset.data_folder=s3://b/data",
        "train.epochs=100000", "train.computation_time=0.0001", "dataset.record_length_bytes=1024",
        f"storage.storage_options.endpoint_url={url}", "storage.storage_options.anonymous=true", *more,
    ]  # fmt: skip
    return subprocess.Popen(
        [COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def server() -> Iterator[tuple[WorkerProcess, str]]:
    """A process that serves what ``begin_run`` reads, and its address."""
    with WorkerProcess("test_faults_at_scale:serve_demo", None) as process:
        url = process.channel.recv()
        yield process, url
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)


def serve_demo(channel: "Connection[object, object]", _: object) -> None:
    made = load("demo", ["dataset.record_length_bytes=1024"]).workload
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    channel.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    NullServer(listener, channel, Answers((training_files(made), evaluation_files(made))), None).run()


def until_it_reads(proxy: FaultProxy, running: "subprocess.Popen[str]") -> None:
    while proxy.counts().answers < 500:
        assert running.poll() is None, running.communicate()


def ended(running: "subprocess.Popen[str]") -> str:
    """What a run said that ended by itself with status 1."""
    try:
        said = running.communicate(timeout=90)[1]
    except subprocess.TimeoutExpired:
        running.kill()
        pytest.fail(f"the run goes on: {running.communicate()}")
    assert running.returncode == 1, said
    return " ".join(said.split())


def test_a_server_that_dies_ends_the_run(server: tuple[WorkerProcess, str], tmp_path: Path) -> None:
    process, url = server
    with fault_proxy(url) as proxy:
        running = begin_run(proxy.url, tmp_path / "results", "storage.storage_options.s3_max_attempts=3")
        until_it_reads(proxy, running)
        process.kill()
        said = ended(running)
        address = proxy.url
    asked = rf"cannot read s3://b/data/\S+: GET from {address}: "
    assert re.search(rf"{asked}([23] attempts|its only attempt) failed.*the last one: ", said)


def test_a_server_that_stops_answering_ends_the_run(server: tuple[WorkerProcess, str], tmp_path: Path) -> None:
    process, url = server
    more = ["first_byte_timeout=0.5", "s3_max_attempts=2"]
    with fault_proxy(url) as proxy:
        running = begin_run(proxy.url, tmp_path / "r", *(f"storage.storage_options.{one}" for one in more))
        until_it_reads(proxy, running)
        os.kill(process.pid, signal.SIGSTOP)
        said = ended(running)
        address = proxy.url
    assert f"GET from {address}: 2 attempts failed, the last one: no answer within 0.5 s" in said
