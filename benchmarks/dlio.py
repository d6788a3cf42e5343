# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dlio_benchmark's command, and the times that its result files state; dl-driver's result files state the same ones."""

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.measurement import ContestantFailed
from benchmarks.processes import RIVALS_PYTHON, Finished, run

COMMAND = RIVALS_PYTHON.parent / "dlio_benchmark"

ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "DFTRACER_ENABLE": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""No tracing, no search for GPUs."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}) (Starting data generation|Generation done)")


def run_dlio(workload: Path, results: Path, overrides: Sequence[str] = (), programs: Path | None = None) -> Finished:
    """Run a workload that lies in a folder called ``workload``; ``programs``: a folder to find programs in first."""
    command: list[str | Path] = [COMMAND, "--config-dir", workload.parent.parent, f"workload={workload.stem}"]
    command += [f"++hydra.run.dir={results}", *(f"++workload.{override}" for override in overrides)]
    path = {} if programs is None else {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    return run(command, environment=ENVIRONMENT | path)


def record_length(num_bytes: int) -> str:
    """The override that says it to dlio_benchmark 2.0.0, which does not know the key record_length_bytes yet."""
    return f"dataset.record_length={num_bytes}"


def generation_seconds(results: Path) -> float:
    """What dlio.log says, start-up of the program left out."""
    log = (results / "dlio.log").read_text()
    stamps = {event: datetime.fromisoformat(moment) for moment, event in _STAMP.findall(log)}
    if len(stamps) != 2:
        raise ContestantFailed(f"{results}/dlio.log does not say when generation began and ended")
    return (stamps["Generation done"] - stamps["Starting data generation"]).total_seconds()


def training_seconds(stats: Path) -> list[float]:
    """Wall time of each epoch's training, from per_epoch_stats.json."""
    epochs = json.loads(stats.read_text())
    blocks = [block for epoch in epochs.values() for name, block in epoch.items() if name.startswith("block")]
    return [_seconds(block["start"], block["end"]) for block in blocks]


def stated_samples_per_second(results: Path) -> float:
    """The program's own mean over the epochs, from summary.json."""
    metric = json.loads((results / "summary.json").read_text())["metric"]
    return float(metric["train_throughput_mean_samples_per_second"])


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
