# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CSV, JSON Lines, raw and synthetic data through the real commands, and before pandas' and Python's eyes."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from real_command import dl_driver

from dl_driver import open_loader

FILES, SAMPLES, BATCH, SIDE = 6, 10, 8, 50
STEPS = FILES * SAMPLES // BATCH  # 7 of 8 samples; 4 are left out
PAYLOAD = SIDE * SIDE


def command(what: str, folder: str, name: str, *arguments: object) -> str:
    changes = [
        f"dataset.data_folder={folder}", f"dataset.format={name}", f"dataset.num_files_train={FILES}",
        f"dataset.num_samples_per_file={SAMPLES}", f"dataset.record_length_bytes={PAYLOAD}",
        "dataset.record_length_bytes_stdev=0", "dataset.record_length_bytes_resize=0",
    ]  # fmt: skip
    done = dl_driver(what, "unet3d_h100", *changes, *arguments)
    assert done.status == 0, done.err
    return done.out


def run(tmp_path: Path, folder: str, name: str) -> dict[str, Any]:
    command(
        "run", folder, name, f"reader.batch_size={BATCH}", "train.epochs=1", "train.computation_time=0.001",
        "metric.au=0", "--results", tmp_path / "results",
    )  # fmt: skip
    report: dict[str, Any] = json.loads((tmp_path / "results" / "run.json").read_text())
    return report


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize(("name", "line"), [("raw", PAYLOAD), ("jsonl", PAYLOAD + 13), ("csv", None)])
def test_generate_and_run(tmp_path: Path, scheme: str, name: str, line: int | None) -> None:
    """Seven steps of eight samples, each as long as its line."""
    folder = f"{scheme}://{tmp_path}/data"
    command("generate", folder, name)
    files = sorted((tmp_path / "data" / "train").iterdir())
    assert [file.name for file in files] == [f"img_{number}_of_6.{name}" for number in range(FILES)]
    report = run(tmp_path, folder, name)
    assert report["samples"] == STEPS * BATCH
    if line is None:
        assert 0 < report["bytes"] < sum(file.stat().st_size for file in files)
    else:
        assert {file.stat().st_size for file in files} == {SAMPLES * line}
        assert report["bytes"] == STEPS * BATCH * line


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize(("name", "packing"), [("npy", "gzip"), ("raw", "lz4"), ("csv", "zstd"), ("jsonl", "zip")])
def test_packed_files(tmp_path: Path, scheme: str, name: str, packing: str) -> None:
    """Six files of a sample, three steps of two; each file is read once and as a whole."""
    folder = f"{scheme}://{tmp_path}/data"
    more = (f"dataset.compression={packing}", "dataset.num_samples_per_file=1", "reader.batch_size=2")
    command("generate", folder, name, *more)
    files = sorted((tmp_path / "data" / "train").iterdir())
    suffix = {"gzip": "gz", "zstd": "zst"}.get(packing, packing)
    assert [file.name for file in files] == [f"img_{number}_of_6.{name}.{suffix}" for number in range(FILES)]
    command(
        "run", folder, name, *more, "train.epochs=1", "train.computation_time=0.001",
        "metric.au=0", "--results", tmp_path / "results",
    )  # fmt: skip
    report = json.loads((tmp_path / "results" / "run.json").read_text())
    assert report["samples"] == FILES
    assert report["bytes"] == sum(file.stat().st_size for file in files)


def test_pandas_reads_csv_and_we_read_what_pandas_wrote(tmp_path: Path) -> None:
    command("generate", f"file://{tmp_path}/ours", "csv")
    path = tmp_path / "ours" / "train" / "img_2_of_6.csv"
    table = pd.read_csv(path, header=None)
    assert table.shape == (SAMPLES, PAYLOAD)
    assert table.to_numpy().max() <= 255
    again = io.StringIO()
    table.to_csv(again, index=False, header=False)
    assert again.getvalue() == path.read_text()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    values = np.random.default_rng(3).normal(size=(5, 12))
    pd.DataFrame(values).to_csv(theirs / "a.csv", index=False, header=False)
    with open_loader(str(theirs), format="csv", samples_per_file=5, batch_size=5) as loader:
        assert np.array_equal([sample["x"] for batch in loader for sample in batch], values)
    with open_loader(str(tmp_path / "ours" / "train"), format="csv", samples_per_file=SAMPLES, batch_size=10) as loader:
        for batch in loader:
            for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                if key == path.name:
                    assert np.array_equal(sample["x"], table.to_numpy()[number])


def test_pandas_reads_jsonl(tmp_path: Path) -> None:
    command("generate", f"file://{tmp_path}", "jsonl")
    path = tmp_path / "train" / "img_2_of_6.jsonl"
    table = pd.read_json(path, lines=True)
    assert table["text"].str.len().tolist() == [PAYLOAD] * SAMPLES
    with open_loader(str(tmp_path / "train"), format="jsonl", samples_per_file=SAMPLES, batch_size=10) as loader:
        for batch in loader:
            for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                if key == path.name:
                    assert sample["text"].tobytes().decode() == table["text"][number]


def test_synthetic_data_come_from_no_storage(tmp_path: Path) -> None:
    folder = f"file://{tmp_path}/none"
    assert not (tmp_path / "none").exists()
    command("generate", folder, "synthetic")
    report = run(tmp_path, folder, "synthetic")
    assert not list((tmp_path).glob("none/train/*"))
    assert report["samples"] == STEPS * BATCH
    assert report["bytes"] == 0
    summary = command("run", folder, "synthetic", f"reader.batch_size={BATCH}", "train.epochs=1", "--progress", "none")
    assert "There was no storage to wait for" in summary
    assert not [line for line in summary.splitlines() if line.startswith("read ")]
    assert report["loader"]["decoding"] == {"samples that no storage was read for": STEPS * BATCH}
