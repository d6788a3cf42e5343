# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver verify``: what it prints, where, and how it ends."""

import json
import sys
from pathlib import Path

import pytest

from dl_driver.cli import verify as command
from dl_driver.cli.main import main

SMALL = (
    "dataset.record_length_bytes=2000",
    "dataset.num_files_train=5",
    "dataset.num_files_eval=1",
    "reader.batch_size=1",
    "reader.batch_size_eval=1",
)
# The root of 2000, cut, is 44; a header of 55 bytes, one of 128, then 44 x 44 bytes.
SAMPLES_AT = 183


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dl-driver", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


@pytest.fixture
def here(run, tmp_path: Path):
    """Arguments of a data set that was generated."""
    chosen = ("demo", f"dataset.data_folder={tmp_path}", *SMALL)
    assert run("generate", *chosen, "--workers", 1)[0] == 0
    return (*chosen, "--workers", 1)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[SAMPLES_AT] ^= 0xFF
    path.write_bytes(data)


def test_all_are_as_generated(run, here, tmp_path):
    status, out, err = run("verify", *here, "--progress", "none")
    assert (status, err) == (0, "")
    assert out.startswith("verified 6 files, 0.0 MiB in ")
    assert out.endswith(f": all are as generated: file://{tmp_path}\n")


def test_a_line_for_each_that_is_not(run, here, tmp_path):
    damage(tmp_path / "train/img_1_of_5.npz")
    before = (tmp_path / "train/img_1_of_5.npz").read_bytes()[SAMPLES_AT]
    (tmp_path / "train/img_2_of_5.npz").write_bytes((tmp_path / "train/img_2_of_5.npz").read_bytes()[:1000])
    (tmp_path / "train/img_4_of_5.npz").unlink()
    with (tmp_path / "valid/img_0_of_1.npz").open("ab") as file:
        file.write(b"!")
    (tmp_path / "valid/note").write_text("")
    status, out, err = run("verify", *here, "--progress", "none")
    assert status == 1
    size = (tmp_path / "train/img_0_of_5.npz").stat().st_size
    assert out.splitlines()[:-1] == [
        f"train/img_1_of_5.npz: differs from byte 183 on: {before:02x}, expected {before ^ 0xFF:02x}",
        f"train/img_2_of_5.npz: is too short: 1000 bytes, expected {size}; up to byte 1000 all are right",
        "train/img_4_of_5.npz: is missing",
        f"valid/img_0_of_1.npz: is too long: {size + 1} bytes, expected {size}; up to byte {size} all are right",
    ]
    assert ": 4 differ or are missing: " in out.splitlines()[-1]
    assert err.splitlines() == [
        "dl-driver: note: 1 object in the data set's folders does not belong to it, such as valid/note; no run of this"
        " workload reads it"
    ]


def test_json(run, here, tmp_path):
    damage(tmp_path / "train/img_3_of_5.npz")
    (tmp_path / "train/img_4_of_5.npz").unlink()
    status, out, err = run("verify", *here, "--json", "--progress", "none")
    found = json.loads(out)
    size = (tmp_path / "train/img_0_of_5.npz").stat().st_size
    now = (tmp_path / "train/img_3_of_5.npz").read_bytes()[SAMPLES_AT]
    assert (status, err) == (1, "")
    assert found.pop("seconds") > 0
    assert found == {
        "workload": "demo",
        "data_uri": f"file://{tmp_path}",
        "format": "npz",
        "seed": 123,
        "equal": False,
        "num_files": 6,
        "num_files_compared": 6,
        "num_files_wrong": 2,
        "bytes": 5 * size,
        "objects": {"different": 1, "shorter": 0, "longer": 0, "missing": 1, "unreadable": 0},
        "mismatches": [
            {
                "key": "train/img_3_of_5.npz",
                "kind": "different",
                "offset": SAMPLES_AT,
                "expected": now ^ 0xFF,
                "found": now,
                "expected_size": size,
                "found_size": size,
            },
            {"key": "train/img_4_of_5.npz", "kind": "missing", "expected_size": size},
        ],
        "num_extra": 0,
        "extra": [],
        "notes": [],
    }


def test_another_seed_is_hinted_at(run, here):
    status, out, err = run("verify", *here, "train.seed=5", "--progress", "none")
    assert status == 1
    assert len(out.splitlines()) == 7
    assert "they were not written by `dl-driver generate` with train.seed=5" in err
    assert "dlio_benchmark" in err


def test_nothing_there_is_hinted_at(run, here, tmp_path):
    status, out, err = run("verify", *here, f"dataset.data_folder={tmp_path}/none", "--progress", "none")
    assert status == 1
    assert out.count("is missing") == 6
    assert "no file is there: generate the data set" in err


def test_few_lines_of_many(run, here, monkeypatch):
    monkeypatch.setattr(command, "_MOST_SHOWN", 2)
    out = run("verify", *here, "train.seed=5", "--progress", "none")[1].splitlines()
    assert (len(out), out[2]) == (4, "... and 4 more; --json names them")


def test_it_stops_at_a_number_of_differences(run, here):
    status, out, _ = run("verify", *here, "train.seed=5", "--max-differences", 2, "--json", "--progress", "none")
    found = json.loads(out)
    assert (status, found["num_files_compared"], found["num_files_wrong"], found["num_files"]) == (1, 2, 2, 6)


def test_libraries_are_named_where_bytes_depend_on_them(run, here, tmp_path):
    packed = (*here, "dataset.format=hdf5", f"dataset.data_folder={tmp_path}/h5")
    assert run("generate", *packed)[0] == 0
    path = tmp_path / "h5/train/img_0_of_5.hdf5"
    path.write_bytes(path.read_bytes()[:-1])
    assert "the bytes of these hdf5 files depend on h5py 3." in run("verify", *packed)[2]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("dataset.format=synthetic", "dataset.format: there is nothing to verify: files of the format synthetic"),
        ("dataset.data_folder=null://", "dataset.data_folder: there is nothing to verify: null:// forgets"),
        ("dataset.data_folder=memory://x", "dataset.data_folder: there is nothing to verify: memory://x lives"),
        ("dataset.num_filestrain=3", "dataset.num_filestrain: unknown key"),
    ],
)
def test_what_cannot_be_verified(run, override, words):
    status, out, err = run("verify", "demo", override)
    assert (status, out) == (2, "")
    assert words in err


def test_progress_as_json(run, here):
    lines = run("verify", *here, "--progress", "json")[2].splitlines()
    last = json.loads(lines[-1])
    assert (last["what"], last["done"], last["total"]) == ("files", 6, 6)
