# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run reports, against what must come out.

The bounds leave room for a busy machine, on which a sleep ends late; alone on a machine, agreement is much closer.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from real_command import dl_driver

NAMED = "dataset.data_folder="


def run(results: Path, *arguments: str) -> dict[str, Any]:
    done = dl_driver("run", *arguments, "--mlperf", "--results", results)
    assert done.status in (0, 1), done.err
    report: dict[str, Any] = json.loads(done.out)
    return report


@pytest.mark.parametrize("accelerators", [1, 8])
def test_a_storage_that_answers_at_once_keeps_the_accelerators_busy(tmp_path: Path, accelerators: int) -> None:
    """cosmoflow_h100 computes 3.5 ms a step. With nothing to wait for, AU is 100 % less what dl-driver itself takes.

    Its samples of 2.8 MB would make this a test of how many gigabytes a second this machine can check, which is the
    benchmarks' business; these are of 114 KB.
    """
    run(
        tmp_path,
        "cosmoflow_h100",
        "dataset.format=npz",
        f"{NAMED}null://",
        f"dataset.num_files_train={1000 * accelerators}",
        "dataset.record_length_bytes=114244",
        "dataset.record_length_bytes_stdev=0",
        "train.epochs=1",
        f"--accelerators={accelerators}",
    )
    metric = json.loads((tmp_path / "summary.json").read_text())["metric"]
    assert metric["train_au_mean_percentage"] >= 95.0


def test_a_storage_of_known_latency(tmp_path: Path) -> None:
    """One accelerator, one reader, batches of one sample, every read 100 ms, every computation 50 ms.

    ``prefetch_size=2`` lets the reader be two batches ahead, but it reads one sample at a time, so it delivers one
    every 100 ms, whatever it may be ahead. In the steady state the accelerator takes a batch that has just come,
    computes 50 ms, and waits the other 50 ms for the next: a step lasts 100 ms, the wait is 50 ms, AU is 50 %.
    The first step waits the full 100 ms; it is excluded from AU. 60 steps last 100 + 59 * 100 + 50 = 6050 ms, so
    AU = 59 * 50 / (6050 - 150) = 50 %. Times are long beside what a busy machine adds to each.
    """
    report = run(
        tmp_path,
        "cosmoflow_h100",
        "dataset.format=npz",
        f"{NAMED}'null://?latency=100ms'",
        "dataset.num_files_train=60",
        "dataset.record_length_bytes=4096",
        "dataset.record_length_bytes_stdev=0",
        "reader.batch_size=1",
        "reader.read_threads=1",
        "reader.prefetch_size=2",
        "train.computation_time=0.050",
        "train.epochs=1",
    )
    metric = json.loads((tmp_path / "summary.json").read_text())["metric"]
    steps = pq.read_table(tmp_path / "steps.parquet").to_pydict()
    waits = sorted(steps["wait_ns"][1:])
    assert metric["train_au_mean_percentage"] == pytest.approx(50.0, rel=0.05)
    assert metric["train_throughput_mean_samples_per_second"] == pytest.approx(10.0, rel=0.05)
    assert sum(waits) / len(waits) == pytest.approx(50e6, rel=0.10)
    assert waits[len(waits) // 2] == pytest.approx(50e6, rel=0.05)
    assert report["io_p50_latency_ms"] == pytest.approx(100.0, rel=0.05)
