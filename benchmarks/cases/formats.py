# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats of many samples a file, from the page cache, beside what reads them elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import temporary_folder
from benchmarks.measurement import Case, Target
from benchmarks.processes import OUR_COMMAND, OUR_PYTHON, RIVALS_PYTHON, Serving, run
from dl_driver.config import load

_CACHE = "The files are in the page cache: all were read once before the first turn."
_TORCH_WORKERS = 2


@contextmanager
def generated(workload: str, *overrides: str) -> Iterator[tuple[Path, Sequence[str]]]:
    """The folder of the files of a workload, and the overrides that lead to them."""
    with temporary_folder() as folder:
        chosen = [f"dataset.data_folder=file://{folder}/data", *overrides]
        run([OUR_COMMAND, "generate", workload, *chosen, "--progress", "none"])
        files = folder / "data" / "train"
        for path in files.iterdir():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
        yield files, chosen


def tfrecord(options: Options) -> Iterator[Case]:
    """112 KiB samples."""
    files, samples = (2, 20) if options.quick else (4, 750)
    arguments = ["--batch-size=64", f"--min-seconds={_seconds(options)}"]
    wanted = ("dataset.format=tfrecord", f"dataset.num_files_train={files}", f"dataset.num_samples_per_file={samples}")
    with generated("default", *wanted, "dataset.record_length_bytes=114660", "dataset.num_subfolders_train=0") as (
        folder,
        _,
    ):
        ours = [str(folder), "--format=tfrecord", f"--samples-per-file={samples}", *arguments]
        ways = [
            [f"--parallel-reads={reads}", *buffer]
            for reads, buffer in product((0, 2, -1), ([], ["--buffer-bytes=4194304"]))
        ]
        yield compare(
            f"112 KiB samples in TFRecords, {files} files of {samples}",
            "samples_per_second",
            [
                Entrant(
                    "dl-driver", [lambda: Serving("dl-driver", "open_loader as it comes", OUR_PYTHON, "ours", ours)]
                ),
                Entrant("tf.data", [partial(_tf_data, folder, arguments, way) for way in ways], "tensorflow"),
            ],
            options,
            notes=[_CACHE, "Both check both checksums of each record. tf.data: records batched, then parsed."],
            targets=[Target("times tf.data", 2.5, lambda case: case.ratio("tf.data"))],
        )


def _tf_data(folder: Path, arguments: Sequence[str], way: Sequence[str]) -> Serving:
    how = f"TFRecordDataset {' '.join(way)}, batch, parse_example, AUTOTUNE"
    return Serving("tf.data", how, RIVALS_PYTHON, "tf_data", [str(folder), *arguments, *way])


def hdf5(options: Options) -> Iterator[Case]:
    """1 MiB samples in contiguous data sets."""
    files, samples = (2, 8) if options.quick else (4, 100)
    arguments = ["--batch-size=4", f"--samples-per-file={samples}", f"--min-seconds={_seconds(options)}"]
    wanted = ("dataset.format=hdf5", f"dataset.num_files_train={files}", f"dataset.num_samples_per_file={samples}")
    with generated("default", *wanted, "dataset.record_length_bytes=1048576", "dataset.num_subfolders_train=0") as (
        folder,
        _,
    ):
        ours = [str(folder), "--format=hdf5", *arguments]
        theirs = [str(folder), f"--workers={_TORCH_WORKERS}", *arguments]
        how = f"{_TORCH_WORKERS} workers, files kept open"
        yield compare(
            f"1 MiB samples in contiguous HDF5 data sets, {files} files of {samples}",
            "samples_per_second",
            [
                Entrant(
                    "dl-driver", [lambda: Serving("dl-driver", "open_loader as it comes", OUR_PYTHON, "ours", ours)]
                ),
                Entrant(
                    "torch and h5py",
                    [lambda: Serving("torch and h5py", how, RIVALS_PYTHON, "torch_h5py", theirs)],
                    "torch",
                ),
            ],
            options,
            notes=[_CACHE],
            targets=[Target("times torch and h5py", 3, lambda case: case.ratio("torch and h5py"))],
        )


def parquet(options: Options) -> Iterator[Case]:
    """The columns that DLRM reads, 40 of 200."""
    files, groups = (2, 2) if options.quick else (6, 24)
    columns = [column.name for column in load("dlrm_b200").workload.dataset.parquet.columns if column.read]
    wanted = [f"dataset.num_files_train={files}", f"dataset.num_samples_per_file={groups * 6144}"]
    seconds = f"--min-seconds={_seconds(options)}"
    with generated("dlrm_b200", *wanted) as (folder, overrides):
        deep = ["reader.pool_size=4", "reader.readahead=4", "reader.workers=2"]
        arguments = ["dlrm_b200", seconds, *overrides, *deep]
        ways = [
            [f"--groups={groups}", *mapped, *buffered]
            for groups, mapped, buffered in product((2, 8, groups), ([], ["--memory-map"]), ([], ["--pre-buffer"]))
        ]
        checked = [*arguments, "dataset.parquet.check_pages=true"]
        bare = ["dlrm_b200", str(folder), f"--rows={groups * 6144}", seconds]
        how = "a process a core, each file's spans by preadv into 8 MiB that are used again"
        theirs = [str(folder), f"--columns={','.join(columns)}", seconds]
        yield compare(
            f"{len(columns)} of 200 columns of DLRM's tables, {files} files of {groups} row groups",
            "bytes_per_second",
            [
                Entrant("dl-driver, raw", [partial(_ours, "dl-driver, raw", arguments, "raw")]),
                Entrant("dl-driver, raw, checksums", [partial(_ours, "dl-driver, raw, checksums", checked, "raw")]),
                Entrant("dl-driver, rows", [partial(_ours, "dl-driver, rows", arguments, "format")]),
                Entrant("pyarrow", [partial(_pyarrow, "pyarrow", theirs, way) for way in ways], "pyarrow"),
                Entrant(
                    "pyarrow, checksums",
                    [partial(_pyarrow, "pyarrow, checksums", theirs, [*way, "--checksums"]) for way in ways],
                    "pyarrow",
                ),
                Entrant("bare reads", [lambda: Serving("bare reads", how, OUR_PYTHON, "bare_reads", bare)]),
            ],
            options,
            notes=[
                _CACHE,
                "Bytes are those of the columns' chunks in the files. dl-driver puts them where another process takes"
                " them: raw as they are stored, unchecked unless said, rows as records of all 40 elements, checked."
                " pyarrow decodes into Arrow arrays in its own process, with as many threads as cores, and checks no"
                " checksum unless told to. Plain columns without nulls are stored as Arrow holds them. Bare reads are"
                " preadv() of the same bytes and nothing else: what the kernel gives.",
            ],
            targets=[
                Target("raw, times pyarrow", 3, lambda case: case.ratio("pyarrow")),
                Target("raw, of bare reads", 0.8, lambda case: case.ratio("bare reads")),
            ],
        )


def _ours(name: str, arguments: Sequence[str], decode: str) -> Serving:
    how = f"a run's loader, batches of two row groups, reader.decode={decode}"
    return Serving(name, how, OUR_PYTHON, "ours_workload", [*arguments, f"reader.decode={decode}"])


def _pyarrow(name: str, arguments: Sequence[str], way: Sequence[str]) -> Serving:
    return Serving(name, f"read_row_groups {' '.join(way)}", RIVALS_PYTHON, "pyarrow_reader", [*arguments, *way])


def _seconds(options: Options) -> float:
    return 0.1 if options.quick else 1.0
