# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""With dlio_benchmark itself: each program runs on the other's data set.

Wants dlio_benchmark in the environment that ``make bench`` makes, or in the one that DLIO_BENCHMARK names (a folder
with ``bin/dlio_benchmark``).
"""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from real_command import Ended, dl_driver

_ENVIRONMENT = Path(os.environ.get("DLIO_BENCHMARK", Path(__file__).parents[2] / ".venv-rivals"))
_DLIO = _ENVIRONMENT / "bin" / "dlio_benchmark"

pytestmark = [
    pytest.mark.skipif(not _DLIO.exists(), reason=f"dlio_benchmark is not installed ({_DLIO})"),
    pytest.mark.timeout(600),
]

TRAIN, EVAL, FOLDERS, SAMPLES, BATCH = 12, 3, 4, 2, 3
STEPS = SAMPLES * TRAIN // BATCH
SIZES = {"record_length_bytes": 40_000, "record_length_bytes_stdev": 20_000}
OLD_NAMES = {"record_length_bytes": "record_length", "record_length_bytes_stdev": "record_length_stdev"}


def wishes(folder: Path, suffix: str) -> dict[str, object]:
    return {
        "dataset.data_folder": folder,
        "dataset.format": suffix,
        "dataset.num_files_train": TRAIN,
        "dataset.num_files_eval": EVAL,
        "dataset.num_subfolders_train": FOLDERS,
        "dataset.num_samples_per_file": SAMPLES,
        "reader.batch_size": BATCH,
        "reader.read_threads": 2,
        "train.epochs": 1,
        "train.computation_time": 0.01,
        "workflow.checkpoint": False,
    }


def ours(command: str, folder: Path, suffix: str, *arguments: object) -> None:
    done = run_of_ours(command, folder, suffix, *arguments)
    assert done.status == 0, done.err


def run_of_ours(command: str, folder: Path, suffix: str, *arguments: object) -> Ended:
    sizes = {f"dataset.{key}": value for key, value in SIZES.items()}
    changes = [f"{key}={value}" for key, value in (wishes(folder, suffix) | sizes).items()]
    return dl_driver(command, "unet3d_h100", *changes, *arguments)


def theirs(folder: Path, suffix: str, results: Path, *more: str, generate: bool) -> None:
    """Version 2.0.0 knows the sizes by their old names, later ones by the new; each ignores the other's."""
    sizes = {f"dataset.{key}": value for key, value in SIZES.items()}
    sizes |= {f"dataset.{OLD_NAMES[key]}": value for key, value in SIZES.items()}
    flow = {"workflow.generate_data": generate, "workflow.train": not generate}
    changes = [f"++workload.{key}={value}" for key, value in (wishes(folder, suffix) | sizes | flow).items()]
    done = subprocess.run(
        [_DLIO, "workload=unet3d_h100", *changes, *more, f"hydra.run.dir={results}"],
        env={
            **os.environ,
            "PATH": f"{without_dali(results.parent)}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        },
        cwd=results.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def without_dali(folder: Path) -> Path:
    """A folder with a program instead of DALI's tfrecord2idx, which indexes nothing: we find records without."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "tfrecord2idx").write_text("#!/bin/sh\n")
    (programs / "tfrecord2idx").chmod(0o755)
    return programs


def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], "np.dtype[np.generic]"]]:
    loaded = np.load(path)
    arrays = {name: loaded[name] for name in loaded.files} if path.suffix == ".npz" else {"x": loaded}
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_each_runs_on_the_data_of_the_other(tmp_path: Path, suffix: str) -> None:
    by_us, by_them = tmp_path / "ours", tmp_path / "theirs"
    theirs(by_them, suffix, tmp_path / "generated", generate=True)
    ours("generate", by_us, suffix)
    names = sorted(path.relative_to(by_them) for path in by_them.rglob(f"*.{suffix}"))
    assert len(names) == TRAIN + EVAL
    assert names == sorted(path.relative_to(by_us) for path in by_us.rglob(f"*.{suffix}"))
    for name in names:
        assert shapes(by_us / name) == shapes(by_them / name)

    ours("run", by_them, suffix, "metric.au=0", "--results", tmp_path / "run")
    theirs(by_us, suffix, tmp_path / "trained", generate=False)
    for results in ("run", "trained"):
        output = json.loads((tmp_path / results / "0_output.json").read_text())
        assert len(output["1"]["load"]["block1"]) == STEPS


TENSORFLOW = ("++workload.framework=tensorflow", "++workload.reader.data_loader=tensorflow")
ONE_SAMPLE = "dataset.num_samples_per_file=1"
GENERATED = {
    "hdf5": ((), ()),
    "tfrecord": (TENSORFLOW, ()),
    "jpeg": ((f"++workload.{ONE_SAMPLE}",), (ONE_SAMPLE,)),
    "png": ((f"++workload.{ONE_SAMPLE}",), (ONE_SAMPLE,)),
    "indexed_binary": ((), ()),
    "mmap_indexed_binary": ((), ()),
}
"""What each program is told besides."""


@pytest.mark.parametrize("suffix", GENERATED)
def test_we_run_on_what_it_generates(tmp_path: Path, suffix: str) -> None:
    """Whatever shape each file's samples were drawn with."""
    for_them, for_us = GENERATED[suffix]
    theirs(tmp_path / "data", suffix, tmp_path / "generated", *for_them, generate=True)
    ours("run", tmp_path / "data", suffix, "metric.au=0", *for_us, "--results", tmp_path / "run")
    output = json.loads((tmp_path / "run" / "0_output.json").read_text())
    samples = 1 if for_us else SAMPLES
    assert len(output["1"]["load"]["block1"]) == samples * TRAIN // BATCH


def test_we_run_on_its_csv_files(tmp_path: Path) -> None:
    """Its version 2.0.0 writes pandas' header and index, which later ones leave out: an error that names the file and
    the line; without them, its files are read."""
    one_size = "dataset.record_length_bytes_stdev=0"
    old = f"++workload.dataset.{OLD_NAMES['record_length_bytes_stdev']}=0"
    theirs(tmp_path / "data", "csv", tmp_path / "generated", f"++workload.{one_size}", old, generate=True)
    arguments = ("metric.au=0", one_size, "--results", tmp_path / "run")
    paths = sorted((tmp_path / "data").rglob("*.csv"))
    assert len(paths) == TRAIN + EVAL
    if paths[0].read_text().startswith(","):
        refused = run_of_ours("run", tmp_path / "data", "csv", *arguments)
        assert refused.status == 1
        assert re.search(r"img_\d\d_of_12\.csv: line \d+: (value 1 of the row is empty|a row of it has)", refused.err)
        for path in paths:
            pd.read_csv(path, index_col=0).to_csv(path, header=False, index=False)
    ours("run", tmp_path / "data", "csv", *arguments)
    output = json.loads((tmp_path / "run" / "0_output.json").read_text())
    assert len(output["1"]["load"]["block1"]) == STEPS
