# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a process that writes files brings along: as little as it can, since it starts anew each time."""

import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from dl_driver.dataset.files import content_shape, training_files
from dl_driver.dataset.generate import Generation
from dl_driver.processes import WorkerProcess
from dl_driver.storage.base import StorageSettings


def write_and_tell(channel: "Connection[Any, Any]", task: Generation) -> None:
    """A worker's main: write the first file, then send the modules that are there, and the threads."""
    from dl_driver.storage import open_storage

    with task.begin(open_storage(task.uri, task.settings)) as do:
        sizes = list(do(range(1)))
    channel.send((sizes, list(sys.modules), len(os.listdir("/proc/self/task"))))


def generation(folder: Path, overrides: Sequence[str]) -> Generation:
    from dl_driver.config import load  # here, since the worker imports this file

    workload = load("demo", [f"dataset.data_folder={folder}", *overrides]).workload
    return Generation(workload.data_uri, StorageSettings(), (training_files(workload),), 1, content_shape(workload))


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset.format=npz"],
        ["dataset.format=tfrecord"],
        ["dataset.format=hdf5", "dataset.hdf5.num_dset_per_record=1"],
        ["dataset.format=parquet", "dataset.parquet.columns=[{name: a, dtype: float32, size: 4}]"],
    ],
)
def test_no_configuration_and_no_idle_threads(
    tmp_path: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with WorkerProcess("test_worker_start:write_and_tell", generation(tmp_path, overrides)) as worker:
        (size,), modules, threads = worker.channel.recv()
    (written,) = (path for path in tmp_path.rglob("*_of_*") if path.suffix != ".idx")
    assert written.stat().st_size == size
    assert [name for name in modules if name.startswith(("pydantic", "yaml", "dl_driver.config"))] == []
    assert threads == 1 or "pyarrow" in modules  # which has threads of its own
