# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyTorch's DataLoader over numpy.load, with its own collation of the arrays."""

import argparse
import os

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.contestants.serve import serve


class Files(Dataset):  # type: ignore[type-arg]
    """One sample a file."""

    def __init__(self, folder: str) -> None:
        self._paths = sorted(entry.path for entry in os.scandir(folder))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        with np.load(self._paths[index]) as arrays:
            return {"x": arrays["x"], "y": arrays["y"]}


def main() -> None:
    """Read FOLDER in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    folder_bytes = sum(entry.stat().st_size for entry in os.scandir(options.folder))
    torch.set_num_threads(1)
    loader = DataLoader(
        Files(options.folder),
        batch_size=options.batch_size,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        prefetch_factor=4 if options.workers else None,
    )

    def epoch() -> tuple[int, int]:
        samples = touched = 0
        for batch in loader:
            x, y = batch["x"].numpy(), batch["y"].numpy()
            for index in range(len(x)):
                touched += int(x[index].item(0)) + len(y[index])
            samples += len(x)
        return samples, folder_bytes

    serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
