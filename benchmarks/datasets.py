# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data sets that contestants read: made once, in a temporary folder, on stable storage before the first turn.

The workload file beside a data set is one that dl-driver and dlio_benchmark both take.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.processes import OUR_COMMAND, run

MEMORY_FOLDER = Path("/dev/shm")
"""A tmpfs."""

_WORKLOAD = """\
model: {{name: benchmark}}
framework: pytorch
workflow: {{generate_data: false, train: true}}
dataset:
  data_folder: {folder}
  format: npz
  num_files_train: {num_files}
  num_samples_per_file: 1
  record_length_bytes: {record_bytes}
reader: {{data_loader: pytorch, batch_size: {batch_size}, read_threads: {read_threads}}}
train: {{epochs: {epochs}, computation_time: 0.0}}
"""


@dataclass(frozen=True, slots=True)
class NpzSet:
    """A DLIO data set of one sample a file, and how a run reads it."""

    num_files: int
    record_bytes: int
    batch_size: int = 4
    read_threads: int = 2
    epochs: int = 2

    def write_workload(self, folder: Path, name: str = "benchmark") -> Path:
        """The YAML, where dlio_benchmark looks for it: FOLDER/workload/NAME.yaml; the data belongs in FOLDER/data."""
        path = folder / "workload" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            _WORKLOAD.format(
                folder=folder / "data",
                num_files=self.num_files,
                record_bytes=self.record_bytes,
                batch_size=self.batch_size,
                read_threads=self.read_threads,
                epochs=self.epochs,
            )
        )
        return path


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Removed at the end; by default where TMPDIR says."""
    with TemporaryDirectory(prefix="dl-driver-bench-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def npz_set(wanted: NpzSet) -> Iterator[tuple[Path, Path]]:
    """The workload file and the folder with the files, which are in the page cache."""
    with temporary_folder() as folder:
        workload = wanted.write_workload(folder)
        run([OUR_COMMAND, "generate", workload, "--progress", "none"])
        # dlio_benchmark lists the folder of the evaluation's files even where none are asked for.
        (folder / "data" / "valid").mkdir()
        os.sync()
        files = folder / "data" / "train"
        for path in files.iterdir():
            path.read_bytes()
        yield workload, files


def write_npy_files(folder: Path, num_files: int, file_bytes: int) -> None:
    """NPY files of exactly this size, random bytes, on stable storage and out of the page cache."""
    folder.mkdir()
    random = np.random.default_rng(0)
    header_bytes = 128
    content = random.integers(0, 256, (file_bytes - header_bytes, 1), np.uint8)
    for number in range(num_files):
        path = folder / f"{number:06d}.npy"
        content[:8, 0] = random.integers(0, 256, 8, np.uint8)
        np.save(path, content)
    first = folder / "000000.npy"
    assert first.stat().st_size == file_bytes, f"{first}: {first.stat().st_size} bytes, expected {file_bytes}"
    os.sync()
    for path in folder.iterdir():
        drop_from_cache(path)


def write_random_file(path: Path, num_bytes: int) -> None:
    """One file of random bytes, on stable storage and out of the page cache."""
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, num_bytes, 64 << 20):
            file.write(random.bytes(min(64 << 20, num_bytes - start)))
        os.fsync(file.fileno())
    drop_from_cache(path)


def drop_from_cache(path: Path) -> None:
    """Ask the kernel to forget the file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
