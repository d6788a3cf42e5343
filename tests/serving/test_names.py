# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import load
from dl_driver.dataset.files import evaluation_files, training_files
from dl_driver.serving.names import SortedKeys, entries, find, root_of


def splits(*overrides):
    workload = load("demo", ["workflow.evaluation=false", *overrides]).workload
    return training_files(workload), evaluation_files(workload)


@pytest.mark.parametrize(
    "path",
    [
        "/train/img_07_of_64.npz",
        "/bucket/train/img_07_of_64.npz",
        "/account/container/some/where/train/img_07_of_64.npz",
        "/storage/v1/b/bucket/o/data/train/img_07_of_64.npz",
        "/bucket/valid/train/img_07_of_64.npz",
    ],
)
def test_a_path_ends_with_a_key(path):
    files, index = find(path, splits())
    assert (files.folder, index) == ("train", 7)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/bucket",
        "/bucket/train/",
        "/bucket/train/img_64_of_64.npz",
        "/bucket/train/img_7_of_64.npz",
        "/bucket/train/img_07_of_65.npz",
        "/bucket/train/img_07_of_64.npy",
        "/bucket/valid/img_07_of_64.npz",
        "/bucket/train/x/img_07_of_64.npz",
        "/train/img_-1_of_64.npz",
    ],
)
def test_no_other_name_is_a_file(path):
    assert find(path, splits()) is None


def test_sorted_keys_are_those_that_sorting_gives():
    for folders in (0, 1, 3, 7, 10):
        (train, _) = splits("dataset.num_files_train=23", f"dataset.num_subfolders_train={folders}")
        keys = SortedKeys(train)
        listed = [keys[position] for position in range(len(keys))]
        assert listed == sorted(train.key(index) for index in range(23))
        assert [train.key(keys.index(position)) for position in range(23)] == listed
        assert [keys.first_from(key) for key in listed] == list(range(23))


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        ("", ""),
        ("train", ""),
        ("tr", ""),
        ("train/img_0", ""),
        ("data/set", "data/set/"),
        ("data/set/", "data/set/"),
        ("data/set/tr", "data/set/"),
        ("data/set/valid/", "data/set/"),
    ],
)
def test_the_data_set_lies_where_it_is_looked_for(prefix, root):
    assert root_of(prefix, ["train", "valid"]) == root


def names(files, prefix, delimiter="", start=""):
    return [entry.name for entry in entries(files, prefix, delimiter, start)]


def test_a_listing_has_every_object_once():
    files = splits("dataset.num_files_train=12", "dataset.num_subfolders_train=5", "dataset.num_files_eval=3")
    every = sorted(f"data/{one.key(index)}" for one in files for index in range(len(one)))
    assert names(files, "data/") == every
    for prefix in ("data/train/", "data/train/2", "data/train/2/img_0", "data/valid/img_1", "data/t", "data/valid/x"):
        assert names(files, prefix) == [name for name in every if name.startswith(prefix)]


def test_a_listing_goes_on_where_a_page_ended():
    files = splits("dataset.num_files_train=12", "dataset.num_subfolders_train=5", "dataset.num_files_eval=3")
    every = names(files, "data/")
    for entry, position in zip(entries(files, "data/", "", ""), range(1, 99), strict=False):
        assert names(files, "data/", start=entry.next) == every[position:]


def test_a_delimiter_folds_what_lies_beyond_it():
    files = splits("dataset.num_files_train=12", "dataset.num_subfolders_train=3", "dataset.num_files_eval=2")
    assert names(files, "data/", "/") == ["data/train/", "data/valid/"]
    assert names(files, "data/train/", "/") == ["data/train/0/", "data/train/1/", "data/train/2/"]
    assert names(files, "data", "/") == ["data/"]
    assert names(files, "data/valid/", "/") == ["data/valid/img_0_of_2.npz", "data/valid/img_1_of_2.npz"]
    first, *_ = entries(files, "data/", "/", "")
    assert names(files, "data/", "/", first.next) == ["data/valid/"]


def test_ten_million_files_are_listed_from_anywhere_at_once():
    files = splits("dataset.num_files_train=10000000", "dataset.num_files_eval=0")
    first = next(entries(files, "train/img_09999", "", ""))
    assert first.name == "train/img_09999000_of_10000000.npz"
