# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data sets as dlio_benchmark makes them: names, folders, sizes. What is expected is worked out here, from its rules.

``{train|valid}/[{sub}/]{prefix}_{number}_of_{count}.{format}``: the number as wide as the count, the subfolder
``number % subfolders`` as wide as their number. Each side of a file's samples is drawn from one stream seeded with 10,
training files first: a normal variate of mean ``int(sqrt(L))`` and deviation ``stdev / 2 / sqrt(L)``, cut to a whole
number, at least 1.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from dl_driver.config import load
from dl_driver.dataset.files import training_files
from dl_driver.run.generating import generate_data_set

RECORD, DEVIATION, TRAIN, EVAL, FOLDERS, SAMPLES = 40_000, 20_000, 12, 3, 4, 2
WISHES = [
    f"dataset.num_files_train={TRAIN}",
    f"dataset.num_files_eval={EVAL}",
    f"dataset.num_subfolders_train={FOLDERS}",
    f"dataset.record_length_bytes={RECORD}",
    f"dataset.record_length_bytes_stdev={DEVIATION}",
    f"dataset.num_samples_per_file={SAMPLES}",
]


def expected_sides() -> list[tuple[int, int]]:
    generator = np.random.RandomState(10)
    draws = generator.normal(int(math.sqrt(RECORD)), DEVIATION / 2 / math.sqrt(RECORD), 2 * (TRAIN + EVAL))
    sides = [max(1, int(draw)) for draw in draws]
    return list(zip(sides[::2], sides[1::2], strict=True))


def expected_names(suffix: str) -> list[str]:
    names = [f"train/{number % FOLDERS}/img_{number:02d}_of_12.{suffix}" for number in range(TRAIN)]
    return names + [f"valid/img_{number}_of_3.{suffix}" for number in range(EVAL)]


@pytest.fixture(params=["npz", "npy"])
def generated(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    wishes = [*WISHES, f"dataset.data_folder={tmp_path}", f"dataset.format={request.param}"]
    workload = load("unet3d_h100", wishes).workload
    generate_data_set(workload, skip_existing=False, workers=1, progress=lambda *_: None)
    return tmp_path, request.param


def test_numpy_loads_what_was_generated(generated: tuple[Path, str]) -> None:
    folder, suffix = generated
    names = expected_names(suffix)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(names)
    for name, (first, second) in zip(names, expected_sides(), strict=True):
        loaded = np.load(folder / name)
        if suffix == "npz":
            assert loaded.files == ["x", "y"]
            assert loaded["y"].dtype == np.int64
            assert loaded["y"].tolist() == [0] * SAMPLES
            loaded = loaded["x"]
        assert loaded.shape == (first, second, SAMPLES)
        assert loaded.dtype == np.uint8


def test_the_samples_are_not_all_alike(generated: tuple[Path, str]) -> None:
    """Incompressible bytes have each value about as often, and files differ."""
    folder, suffix = generated
    contents = []
    for name in expected_names(suffix):
        loaded = np.load(folder / name)
        contents.append((loaded["x"] if suffix == "npz" else loaded).reshape(-1)[:10_000])
    counts = np.bincount(np.concatenate(contents), minlength=256)
    assert counts.min() > 0.7 * counts.mean()
    assert all((one != other).mean() > 0.9 for one, other in itertools.pairwise(contents))


def test_the_first_record_of_unet3d() -> None:
    """As a data set holds it that dlio_benchmark 2.0.0 generated for its own unet3d_h100."""
    files = training_files(load("unet3d_h100", ["dataset.num_files_train=168"]).workload)
    assert files.record(0).dims == (15865, 14125)
    assert files.key(0) == "train/img_000_of_168.npz"


def test_the_payload_of_unet3d(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The sum of 168 such draws, made here."""
    from dl_driver.cli.main import main

    arguments = ["dl-driver", "plan", "unet3d_h100", "dataset.num_files_train=168", "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    mean, deviation = int(math.sqrt(146600628)), 68341808 / 2 / math.sqrt(146600628)
    sides = np.maximum(np.random.RandomState(10).normal(mean, deviation, 336).astype(np.int64), 1)
    total = int((sides[::2] * sides[1::2]).sum())
    assert total == 25285981919
    assert json.loads(capsys.readouterr().out)["train"]["payload_bytes"] == total
