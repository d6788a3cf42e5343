# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyTorch's DataLoader over h5py: every worker keeps the files open and reads one sample at a time."""

import argparse
import os

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.contestants.serve import serve


class Samples(Dataset):  # type: ignore[type-arg]
    """The samples of all files."""

    def __init__(self, folder: str, samples_per_file: int) -> None:
        self._paths = sorted(entry.path for entry in os.scandir(folder))
        self._samples = samples_per_file
        self._open: dict[int, h5py.Dataset] = {}

    def __len__(self) -> int:
        return len(self._paths) * self._samples

    def __getitem__(self, index: int) -> np.ndarray:
        file, sample = divmod(index, self._samples)
        if file not in self._open:
            self._open[file] = h5py.File(self._paths[file], "r")["records_0"]
        return self._open[file][sample]


def main() -> None:
    """Read FOLDER in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--samples-per-file", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    folder_bytes = sum(entry.stat().st_size for entry in os.scandir(options.folder))
    torch.set_num_threads(1)
    loader = DataLoader(
        Samples(options.folder, options.samples_per_file),
        batch_size=options.batch_size,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        prefetch_factor=4 if options.workers else None,
    )

    def epoch() -> tuple[int, int]:
        samples = touched = 0
        for batch in loader:
            touched += sum(int(sample.flatten()[0]) for sample in batch)
            samples += len(batch)
        return samples, folder_bytes

    serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
