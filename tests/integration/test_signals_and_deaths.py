# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to stop, and processes that die: what is done is written, what was begun is removed, nothing lives on."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from real_command import children, finish, gone, start, until

HANGING = "dataset.data_folder='null://?latency=100s'"
WORKLOAD = """
model: {name: long}
framework: pytorch
workflow: {train: true}
dataset: {data_folder: 'null://', format: npz, num_files_train: 4000, record_length_bytes: 4096}
reader: {data_loader: pytorch, batch_size: 1, read_threads: 2}
train: {epochs: 1, computation_time: 0.02}
metric: {au: 0.0}
"""


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """80 seconds of training."""
    path = tmp_path / "long.yaml"
    path.write_text(WORKLOAD)
    return path


def training(workload: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A run whose workers are busy: the stop handlers are in place."""
    running = start("run", workload, *arguments, "--results", workload.parent / "results")
    until(lambda: len(children(running)) == 2, "two workers")
    until(lambda: _handles(running.pid, signal.SIGTERM), "the run's handlers")
    until(lambda: all(_waits_for_reads(pid) for pid in children(running)), "the workers' reads")
    return running


def generating(workload: Path) -> "subprocess.Popen[str]":
    """A generation that has written something, and is in the middle of a large file."""
    data = workload.parent / "data"
    wishes = [f"dataset.data_folder={data}", "dataset.num_files_train=300", "dataset.record_length_bytes=3e7"]
    running = start("generate", workload, *wishes)
    until(lambda: list(data.rglob("*.npz")), "a first file")
    until(lambda: list(data.rglob("*.partial")), "a file in the making")
    return running


def _handles(pid: int, number: signal.Signals) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _waits_for_reads(pid: int) -> bool:
    """A worker that has mapped the slab, and then takes next to no time, has begun to read."""
    if "memfd:dl-driver" not in Path(f"/proc/{pid}/maps").read_text():
        return False
    before = _processor_ticks(pid)
    time.sleep(0.4)
    return _processor_ticks(pid) - before < 10


def _processor_ticks(pid: int) -> int:
    """A hundred a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")], ids=["INT", "TERM"]
)
@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_a_request_to_stop_ends_the_run_at_the_steps_end(
    workload: Path, number: signal.Signals, reason: str, whole_group: bool
) -> None:
    running = training(workload)
    workers = children(running)
    if whole_group:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    done = finish(running)
    assert done.status == 1
    assert f"Partial: {reason}" in done.out
    assert "stopping at the step's end" in done.message()
    results = workload.parent / "results"
    assert json.loads((results / "run.json").read_text())["partial"] == reason
    assert {path.name for path in results.iterdir()} == {
        "0_output.json",
        "0_per_epoch_stats.json",
        "dlio.log",
        "run.json",
        "steps.parquet",
        "summary.json",
    }
    assert all(gone(pid) for pid in workers)


def test_a_storage_that_hangs_does_not_hold_a_run_that_shall_stop(workload: Path) -> None:
    running = training(workload, HANGING)
    workers = children(running)
    running.send_signal(signal.SIGTERM)
    done = finish(running)
    assert done.status == 1
    assert "Partial: ended by SIGTERM" in done.out
    report = json.loads((workload.parent / "results" / "run.json").read_text())
    assert (report["partial"], report["samples"]) == ("ended by SIGTERM", 0)
    assert all(gone(pid) for pid in workers)


def test_a_signal_that_comes_twice_at_once_is_one_request(workload: Path) -> None:
    running = training(workload)
    running.send_signal(signal.SIGTERM)
    assert running.stderr is not None
    assert "stopping at the step's end" in running.stderr.readline()
    os.killpg(running.pid, signal.SIGTERM)
    done = finish(running)
    assert (done.status, "Partial: ended by SIGTERM" in done.out) == (1, True)
    assert (workload.parent / "results" / "summary.json").exists()


def test_a_second_request_ends_the_run_at_once(workload: Path) -> None:
    running = training(workload, HANGING)
    workers = children(running)
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    assert "once more stops at once" in running.stderr.readline()
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    done = finish(running)
    assert done.status == 1
    assert done.message() == "dl-driver: interrupted before the step's end, no results were written"
    assert not (workload.parent / "results").exists()
    assert all(gone(pid) for pid in workers)


def test_a_killed_worker_is_an_error_that_names_its_files(workload: Path) -> None:
    running = training(workload, HANGING)
    first, second = children(running)
    os.kill(first, signal.SIGKILL)
    done = finish(running)
    assert done.status == 1
    assert f"reader process {first} was killed by signal 9 (SIGKILL)" in done.message()
    assert "while reading train/img_" in done.message()
    assert gone(second)
    assert not (workload.parent / "results").exists()


@pytest.mark.parametrize("arguments", [(), (HANGING,)], ids=["busy", "hanging"])
def test_workers_end_with_their_parent(workload: Path, arguments: tuple[str, ...]) -> None:
    running = training(workload, *arguments)
    workers = children(running)
    running.kill()
    until(lambda: all(gone(pid) for pid in workers), "the workers' end")
    finish(running)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_a_request_to_stop_ends_generation(workload: Path, number: signal.Signals, whole_group: bool) -> None:
    running = generating(workload)
    workers = children(running)
    if whole_group:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    done = finish(running)
    reason = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (done.status, done.message()) == (1, f"dl-driver: {reason}")
    assert all(gone(pid) for pid in workers)
    assert_only_whole_files(workload)


def test_a_killed_generating_worker_is_an_error_that_names_its_file(workload: Path) -> None:
    running = generating(workload)
    first, *others = children(running)
    os.kill(first, signal.SIGKILL)
    done = finish(running)
    assert done.status == 1
    assert f"generating process {first} was killed by signal 9 (SIGKILL)" in done.message()
    assert f"while writing file://{workload.parent}/data/train/img_" in done.message()
    assert all(gone(pid) for pid in others)
    assert_only_whole_files(workload)


def test_generating_workers_end_with_their_parent(workload: Path) -> None:
    running = generating(workload)
    workers = children(running)
    running.kill()
    until(lambda: all(gone(pid) for pid in workers), "the workers' end")
    finish(running)
    assert_only_whole_files(workload)


def assert_only_whole_files(workload: Path) -> None:
    """3e7 bytes make a square of 5477; the container of one such sample takes 498 bytes as NumPy writes it."""
    files = [path for path in (workload.parent / "data").rglob("*") if path.is_file()]
    assert files
    assert {path.suffix for path in files} == {".npz"}
    assert {path.stat().st_size for path in files} == {5477 * 5477 + 498}
