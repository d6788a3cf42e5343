# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyTorch's DataLoader over h5py: every worker keeps the files open and reads one sample at a time."""

import argparse
import os

import h5py
import numpy as np
import torch
from torch.utils.data import Dataset

from benchmarks.contestants.torch_loading import read_in_turns


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


def look(batch: torch.Tensor) -> tuple[int, int]:
    """At every sample."""
    return len(batch), sum(int(sample.flatten()[0]) for sample in batch)


def main() -> None:
    """Read FOLDER in turns."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--samples-per-file", type=int, required=True)
    read_in_turns(arguments, lambda options: Samples(options.folder, options.samples_per_file), look)


if __name__ == "__main__":
    main()
