# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole row groups: their spans as one read, their samples as one run; the same samples as read one by one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dl_driver.config import load
from dl_driver.dataset.files import training_files
from dl_driver.dataset.generate import Generation, generate
from dl_driver.dataset.order import EpochOrder, SampleRun
from dl_driver.errors import FormatError
from dl_driver.formats.spans import SpanShape
from dl_driver.loader.landing import Landing, landing_of
from dl_driver.loader.loader import Loader
from dl_driver.loader.parts import Part, parts_of_runs
from dl_driver.loader.slab import RECORD, RUN, records_of
from dl_driver.metrics.record import Phase
from dl_driver.run.feeds import make_feed

WORKLOAD = """\
model: {name: rows}
dataset:
  format: parquet
  num_files_train: 2
  num_samples_per_file: 192
  parquet:
    row_group_size: 64
    columns:
      - {name: a, dtype: float32, read: true}
      - {name: b, dtype: int64, read: false}
      - {name: c, dtype: float64, read: true}
      - {name: d, dtype: int8, size: 3, read: true}
reader: {data_loader: pytorch, read_threads: 2, sample_shuffle: seed}
train: {computation_time: 0.0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of three row groups, and the workload beside them."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "rows.yaml").write_text(WORKLOAD)
    workload = load(str(folder / "rows.yaml"), [f"dataset.data_folder={folder}/data"]).workload
    files = (training_files(workload),)
    uri = f"file://{folder}/data"
    from dl_driver.storage.base import StorageSettings

    generate(Generation(uri, StorageSettings(), files, 0), 1, lambda *_: None)
    return folder


def batches(folder: Path, scheme: str, *overrides: str) -> dict[tuple[str, int], dict[str, bytes]]:
    """Every sample's arrays by file and number."""
    chosen = [f"dataset.data_folder={scheme}://{folder}/data", *overrides]
    feed = make_feed(load(str(folder / "rows.yaml"), chosen).workload, Phase.TRAIN, 1, seed=0)
    samples: dict[tuple[str, int], dict[str, bytes]] = {}
    with Loader(feed.plan, feed.order, delivery_order="plan", reshuffle=False, timeout=60) as loader:
        for batch in loader:
            assert len(batch) == len(batch.keys) == len(batch.sample_numbers)
            for place, (key, number, arrays) in enumerate(zip(batch.keys, batch.sample_numbers, batch, strict=True)):
                samples[key, number] = {name: array.tobytes() for name, array in arrays.items()}
                assert {name: array.tobytes() for name, array in batch[place].items()} == samples[key, number]
    return samples


@pytest.mark.parametrize("decode", ["raw", "format"])
@pytest.mark.parametrize("batch_size", [64, 96, 128])
def test_whole_row_groups_are_what_single_rows_are(folder: Path, decode: str, batch_size: int) -> None:
    """96 rows are a group and half of one. One row a batch is never a whole group."""
    whole = batches(folder, "file", f"reader.decode={decode}", f"reader.batch_size={batch_size}")
    assert len(whole) == 2 * 192
    assert whole == batches(folder, "file", f"reader.decode={decode}", "reader.batch_size=1")


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize("engine", ["ring", "threads"])
def test_engines_and_storages_agree(folder: Path, scheme: str, engine: str) -> None:
    """The threads' queue takes no spreads."""
    wanted = batches(folder, "file", "reader.decode=raw", "reader.batch_size=64")
    assert wanted == batches(folder, scheme, "reader.decode=raw", "reader.batch_size=64", f"storage.engine={engine}")


@pytest.mark.parametrize("engine", ["ring", "threads"])
def test_a_file_that_was_cut_off_meanwhile_is_an_error(folder: Path, tmp_path: Path, engine: str) -> None:
    """Its footer is there, and a row group's chunks are said to lie behind the end."""
    whole = (folder / "data" / "train" / "img_0_of_2.parquet").read_bytes()
    (tmp_path / "rows.yaml").write_text(WORKLOAD)
    (tmp_path / "data" / "train").mkdir(parents=True)
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for number in range(2):
        (tmp_path / "data" / "train" / f"img_{number}_of_2.parquet").write_bytes(whole[:700] + whole[-footer:])
    with pytest.raises(FormatError, match=r"img_\d_of_2\.parquet: the file "):
        batches(tmp_path, "file", "reader.decode=raw", "reader.batch_size=64", f"storage.engine={engine}")


def test_a_batch_says_what_was_read(folder: Path) -> None:
    """64 rows: pages of 4, 8 and 3 x 4 bytes a row with their headers, and levels of the last column."""
    chosen = [f"dataset.data_folder={folder}/data", "reader.batch_size=128", "reader.decode=raw"]
    feed = make_feed(load(str(folder / "rows.yaml"), chosen).workload, Phase.TRAIN, 1, seed=0)
    columns = training_files(load(str(folder / "rows.yaml"), chosen).workload).options.parquet.columns
    from dl_driver.formats.parquet_table import Column
    from dl_driver.formats.parquet_write import chunk_length

    chunks = sum(chunk_length(Column(c.name, c.dtype, c.size), 64) for c in columns if c.read)
    with Loader(feed.plan, feed.order, delivery_order="plan", reshuffle=False, timeout=60) as loader:
        assert [batch.nbytes for batch in loader] == [2 * chunks] * 3


def run_of(**values: int) -> tuple[int, ...]:
    return tuple(values.get(name, 0) for name in RUN.names or ())


def test_runs_are_records() -> None:
    """Two samples 10 bytes apart share 7 bytes read; three share their place; runs may come in any order."""
    runs = np.array(
        [
            run_of(file=4, sample=8, start=100, length=5, read_bytes=9, decode_ns=3, position=2, count=3),
            run_of(file=3, sample=20, start=0, length=10, read_bytes=7, decode_ns=1, count=2, stride=10, layout=6),
        ],
        RUN,
    )
    records = records_of(runs)
    assert records.dtype == RECORD
    assert records["file"].tolist() == [3, 3, 4, 4, 4]
    assert records["sample"].tolist() == [20, 21, 8, 9, 10]
    assert records["start"].tolist() == [0, 10, 100, 100, 100]
    assert records["length"].tolist() == [10, 10, 5, 5, 5]
    assert records["read_bytes"].tolist() == [4, 3, 3, 3, 3]
    assert records["decode_ns"].tolist() == [1, 0, 1, 1, 1]
    assert records["layout"].tolist() == [6, 6, 0, 0, 0]


def landing(offsets: Sequence[int], lengths: Sequence[int], skip: int, alignment: int) -> Landing:
    return landing_of(SpanShape(np.array(offsets), np.array(lengths)), skip, alignment)


def as_lists(made: Landing) -> tuple[Any, ...]:
    return made.spread.offsets.tolist(), made.spread.lengths.tolist(), made.spread.places.tolist(), made.starts


def test_where_spans_land() -> None:
    """In lines of 64 bytes; where blocks of 512 are read, from the block before a span to the one behind it."""
    assert as_lists(landing([0, 100, 300], [10, 64, 65], 0, 1)) == (
        [0, 100, 300],
        [10, 64, 65],
        [0, 64, 128],
        [0, 64, 128],
    )
    wide = landing([0, 500, 2000], [10, 100, 1], 20, 512)
    assert as_lists(wide) == ([0, 512, 1536], [512, 512, 512], [0, 512, 1024], [20, 520, 1508])
    assert (wide.length, wide.room) == (1536, 1536)


def test_what_arrives_of_a_file_that_ends() -> None:
    """Blocks of 512 from 0, 512 and 1536 on: of a file of 2021 bytes the last has 485."""
    wide = landing([0, 500, 2000], [10, 100, 1], 20, 512)
    assert wide.least(2021) == 512 + 512 + 485
    assert wide.least(600) == 512 + 88


def test_runs_of_an_order_are_its_batches() -> None:
    order = EpochOrder(3, 640, 2, 100, sample_shuffle=True, file_shuffle=True, seed=5, drop_last=False, shuffle_unit=64)
    for rank in range(2):
        for step in range(order.steps + 1):
            files, samples = order.batch(rank, step)
            told = order.batch_runs(rank, step)
            assert [run.file for run in told for _ in range(run.length)] == files.tolist()
            assert [run.first + at for run in told for at in range(run.length)] == samples.tolist()


def test_units_in_a_row_are_one_run() -> None:
    order = EpochOrder(2, 128, 1, 200, shuffle_unit=64, drop_last=False)
    assert order.batch_runs(0, 0) == [SampleRun(0, 0, 128), SampleRun(1, 0, 72)]
    assert order.batch_runs(0, 1) == [SampleRun(1, 72, 56)]


def test_parts_of_runs_stand_one_after_another() -> None:
    parts = parts_of_runs([SampleRun(7, 64, 3), SampleRun(2, 0, 2)])
    assert parts == [Part(7, range(64, 67), range(3)), Part(2, range(2), range(3, 5))]
