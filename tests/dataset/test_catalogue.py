# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from pathlib import Path

import pytest

from dl_driver.config import load
from dl_driver.dataset.catalogue import locate_files
from dl_driver.dataset.files import ComputedFiles, training_files
from dl_driver.errors import DataError
from dl_driver.storage import open_storage


def asked(count: int) -> ComputedFiles:
    return training_files(load("cosmoflow_h100", ["dataset.format=npz", f"dataset.num_files_train={count}"]).workload)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files of a data set of twelve."""
    (tmp_path / "train").mkdir()
    for number in range(12):
        (tmp_path / "train" / f"img_{number:02d}_of_12.npz").write_bytes(bytes(number))
    return tmp_path


def test_files_of_the_right_names_are_not_listed(folder: Path) -> None:
    files = asked(12)
    assert locate_files(open_storage(f"file://{folder}"), files) == (files, ())


def test_fewer_of_a_larger_data_set_are_the_first_ones(folder: Path) -> None:
    found, warnings = locate_files(open_storage(f"file://{folder}"), asked(3))
    assert [found.key(index) for index in range(len(found))] == [f"train/img_0{n}_of_12.npz" for n in range(3)]
    assert [found.size(index) for index in range(3)] == [0, 1, 2]
    assert "12 .npz files; the first 3 by name are used" in warnings[0]


def test_files_of_other_names_are_told(folder: Path) -> None:
    changes = ["dataset.format=npz", "dataset.num_files_train=12", "dataset.file_prefix=other"]
    files = training_files(load("cosmoflow_h100", changes).workload)
    found, warnings = locate_files(open_storage(f"file://{folder}"), files)
    assert found.key(0) == "train/img_00_of_12.npz"
    assert len(warnings) == 1
    assert "holds no train/other_00_of_12.npz" in warnings[0]
    assert "files of other names are read, from train/img_00_of_12.npz on" in warnings[0]


def test_a_missing_file_is_named_with_the_ways_out(folder: Path) -> None:
    (folder / "train" / "img_07_of_12.npz").unlink()
    with pytest.raises(
        DataError, match=r"11 \.npz files, 12 are needed \(train/img_07_of_12\.npz is missing\)"
    ) as told:
        locate_files(open_storage(f"file://{folder}"), asked(12))
    assert "dataset.num_files_train=11" in str(told.value)


def test_no_data_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds 0 \.npz files, 12 are needed") as told:
        locate_files(open_storage(f"file://{tmp_path}/none"), asked(12))
    assert "check dataset.data_folder" in str(told.value)
    assert "num_files_train=0" not in str(told.value)
