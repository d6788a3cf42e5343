# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing data sets of many samples a file into memory (tmpfs)."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks import dlio
from benchmarks.cases.generation import stated_seconds
from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import MEMORY_FOLDER, temporary_folder
from benchmarks.measurement import Case, ContestantFailed, Measurement, Target
from benchmarks.processes import OUR_COMMAND, Repeated, run

_WORKLOAD = """\
model: {{name: benchmark}}
framework: {framework}
workflow: {{generate_data: true, train: false}}
dataset:
  data_folder: {folder}
  format: {format}
  num_files_train: {files}
  num_samples_per_file: {samples}
  record_length_bytes: {record_bytes}
reader: {{data_loader: {framework}, batch_size: 1}}
"""
_SINGLE = "dl-driver, one process"
_WINDOW_BYTES = 512 << 10
"""As dl-driver writes."""
_ROW_BYTES = 898
"""Of dlrm_b200's table in a file, about."""
_NOTE = (
    "Into tmpfs, an empty folder every turn. Times are the programs' own, of writing the files alone: what dl-driver"
    " says at its end, the start of its processes included, and dlio.log's lines where generation starts and is done."
    " dlio_benchmark generates in one process; dl-driver does in one a core unless told otherwise."
    " dlio_benchmark has NVIDIA DALI's tfrecord2idx index its TFRecords; here that program does nothing, in its favour."
)


def all_formats(options: Options) -> Iterator[Case]:
    """TFRecord, HDF5, Parquet."""
    files = 2 if options.quick else 16
    yield _beside_dlio("tfrecord", files, (8 if options.quick else 1000, 114_660), 1e9, options)
    yield _beside_dlio("hdf5", files, (2 if options.quick else 100, 1 << 20), 1e9, options)
    yield _parquet(files, 6144 if options.quick else 6144 * 20, options)


def _beside_dlio(name: str, files: int, records: tuple[int, int], wanted: float, options: Options) -> Case:
    """``records``: how many a file, and the bytes of one."""
    samples, record_bytes = records
    kind = {"format": name, "framework": "tensorflow" if name == "tfrecord" else "pytorch"}
    text = partial(_WORKLOAD.format, files=files, samples=samples, record_bytes=record_bytes, **kind)
    how = "generate_data, generation_buffer_size of one file"
    buffer = f"dataset.generation_buffer_size={samples * record_bytes}"
    rival = Repeated("dlio_benchmark", how, partial(_theirs, text, files, [dlio.record_length(record_bytes), buffer]))
    return compare(
        f"Generation of {name}, {files} files of {samples} samples of {record_bytes:,} bytes",
        "bytes_per_second",
        [
            *_ways(partial(_ours, text, files)),
            Entrant("dlio_benchmark", [lambda: rival], "dlio", trial=False),
            _bare_writes(files, samples * record_bytes),
        ],
        options,
        notes=[_NOTE],
        targets=[
            Target(f"{_SINGLE}, bytes/s", wanted, lambda case: case.median(_SINGLE)),
            Target("times dlio_benchmark", 5, lambda case: case.ratio("dlio_benchmark")),
        ],
    )


def _parquet(files: int, rows: int, options: Options) -> Case:
    def measure(chosen: Sequence[str]) -> Measurement:
        with temporary_folder(MEMORY_FOLDER) as folder:
            wanted = [f"dataset.num_files_train={files}", f"dataset.num_samples_per_file={rows}", *chosen]
            return _generate("dlrm_b200", [*wanted, f"dataset.data_folder={folder}/data"], folder, files)

    return compare(
        f"Generation of Parquet, DLRM's 200 columns, {files} files of {rows:,} rows",
        "bytes_per_second",
        [
            *_ways(measure),
            _bare_writes(files, _ROW_BYTES * rows),
        ],
        options,
        notes=[_NOTE, "dlio_benchmark 2.0.0 has no Parquet."],
        targets=[Target(f"{_SINGLE}, bytes/s", 0.3e9, lambda case: case.median(_SINGLE))],
    )


def _ways(measure: Callable[[Sequence[str]], Measurement]) -> list[Entrant]:
    """dl-driver as it comes, and by one process; ``measure`` takes the options."""
    all_cores = Repeated("dl-driver", f"one process a core ({os.cpu_count()})", partial(measure, ()))
    single = Repeated(_SINGLE, "--workers 1", partial(measure, ("--workers=1",)))
    return [
        Entrant("dl-driver", [lambda: all_cores], trial=False),
        Entrant(_SINGLE, [lambda: single], trial=False),
    ]


def _bare_writes(files: int, file_bytes: int) -> Entrant:
    """What the kernel gives one process: the same bytes, and no work to make them."""

    def measure() -> Measurement:
        window = os.urandom(_WINDOW_BYTES)
        with temporary_folder(MEMORY_FOLDER) as folder:
            started = perf_counter()
            for number in range(files):
                descriptor = os.open(folder / str(number), os.O_WRONLY | os.O_CREAT)
                for offset in range(0, file_bytes, _WINDOW_BYTES):
                    os.pwrite(descriptor, window[: file_bytes - offset], offset)
                os.close(descriptor)
            return Measurement(perf_counter() - started, files, files * file_bytes)

    how = f"pwrite() of the same {_WINDOW_BYTES >> 10} KiB again and again"
    return Entrant("bare writes", [lambda: Repeated("bare writes", how, measure)], trial=False)


def _ours(text: "partial[str]", files: int, chosen: Sequence[str]) -> Measurement:
    with temporary_folder(MEMORY_FOLDER) as folder:
        return _generate(_workload(text, folder), chosen, folder, files)


def _theirs(text: "partial[str]", files: int, overrides: Sequence[str]) -> Measurement:
    with temporary_folder(MEMORY_FOLDER) as folder, temporary_folder() as results:
        idle = folder / "tfrecord2idx"
        idle.write_text("#!/bin/sh\n")
        idle.chmod(0o755)
        dlio.run_dlio(_workload(text, folder), results, overrides, folder)
        return _measured(dlio.generation_seconds(results), folder, files)


def _workload(text: "partial[str]", folder: Path) -> Path:
    path = folder / "workload" / "benchmark.yaml"
    path.parent.mkdir()
    path.write_text(text(folder=folder / "data"))
    return path


def _generate(workload: str | Path, overrides: Sequence[str], folder: Path, files: int) -> Measurement:
    done = run([OUR_COMMAND, "generate", workload, *overrides, "--progress", "none"])
    return _measured(stated_seconds(done), folder, files)


def _measured(seconds: float, folder: Path, files: int) -> Measurement:
    sizes = [path.stat().st_size for path in (folder / "data" / "train").iterdir()]
    if len(sizes) != files or min(sizes) == 0:
        raise ContestantFailed(f"{len(sizes)} files of {min(sizes, default=0)} bytes and more were written")
    return Measurement(seconds, files, sum(sizes))
