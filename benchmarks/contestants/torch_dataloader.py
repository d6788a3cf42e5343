# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyTorch's DataLoader over numpy.load, with its own collation of the arrays."""

import argparse
import os

import numpy as np
import torch
from torch.utils.data import Dataset

from benchmarks.contestants.torch_loading import read_in_turns


class Files(Dataset):  # type: ignore[type-arg]
    """One sample a file."""

    def __init__(self, folder: str) -> None:
        self._paths = sorted(entry.path for entry in os.scandir(folder))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        with np.load(self._paths[index]) as arrays:
            return {"x": arrays["x"], "y": arrays["y"]}


def look(batch: dict[str, torch.Tensor]) -> tuple[int, int]:
    """At both arrays of every sample."""
    x, y = batch["x"].numpy(), batch["y"].numpy()
    return len(x), sum(int(x[index].item(0)) + len(y[index]) for index in range(len(x)))


def main() -> None:
    """Read FOLDER in turns."""
    read_in_turns(argparse.ArgumentParser(), lambda options: Files(options.folder), look)


if __name__ == "__main__":
    main()
