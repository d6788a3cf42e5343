# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A data set of other samples than the workload says is an error that names a file and what to check, whatever the
format: what would be measured were another workload."""

from pathlib import Path

import pytest
from real_command import Ended, dl_driver

WRITTEN = 50 * 50


def command(what: str, folder: Path, name: str, payload: int, *changes: object) -> Ended:
    return dl_driver(
        what, "unet3d_h100", f"dataset.data_folder=file://{folder}", f"dataset.format={name.removesuffix('+zip')}",
        f"dataset.compression={'zip' if name.endswith('+zip') else 'none'}", "dataset.num_files_train=4",
        f"dataset.record_length_bytes={payload}", "dataset.record_length_bytes_stdev=0",
        "dataset.record_length_bytes_resize=0", "reader.batch_size=2", "workflow.checkpoint=false", *changes,
    )  # fmt: skip


def run(folder: Path, name: str, payload: int, *changes: object) -> Ended:
    return command(
        "run", folder, name, payload, "train.epochs=1", "train.computation_time=0.001",
        "metric.au=0", "--results", folder / "results", *changes,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["npz", "npz+zip", "csv", "jsonl", "raw"])
@pytest.mark.parametrize("samples", [1, 3])
def test_samples_of_another_length(tmp_path: Path, name: str, samples: int) -> None:
    several = f"dataset.num_samples_per_file={samples}"
    done = command("generate", tmp_path, name, WRITTEN, several)
    assert done.status == 0, done.err
    assert run(tmp_path, name, WRITTEN, several).status == 0
    for side in (49, 51):
        message = run(tmp_path, name, side * side, several).message()
        assert f"{tmp_path}/train/img_" in message
        assert "dataset.record_" in message


@pytest.mark.parametrize("name", ["npz+zip", "csv"])
def test_samples_of_another_type(tmp_path: Path, name: str) -> None:
    """As many bytes, but of half as many numbers."""
    assert command("generate", tmp_path, name, WRITTEN).status == 0
    message = run(
        tmp_path, name, WRITTEN, "dataset.record_element_type=uint16", "dataset.record_dims=[25,50]"
    ).message()
    assert f"{tmp_path}/train/img_" in message
    assert "record_element_type" in message


def test_lines_passed_on_as_they_are_may_be_of_any_length(tmp_path: Path) -> None:
    assert command("generate", tmp_path, "jsonl", WRITTEN).status == 0
    assert run(tmp_path, "jsonl", 51 * 51, "reader.decode=none").status == 0
