# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the contestants around PyTorch's DataLoader share: their arguments, the loader's settings, and an epoch."""

import argparse
import os
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.contestants.serve import serve


def read_in_turns(
    arguments: argparse.ArgumentParser,
    make: Callable[[argparse.Namespace], "Dataset[Any]"],
    look: Callable[[Any], tuple[int, int]],
) -> None:
    """Read FOLDER in turns. ``make``: the data set, of what the command line says; ``look``: at every array of a batch,
    returns the samples in it and a number that depends on them."""
    arguments.add_argument("folder")
    arguments.add_argument("--batch-size", type=int, required=True)
    arguments.add_argument("--min-seconds", type=float, required=True)
    arguments.add_argument("--workers", type=int, required=True)
    options = arguments.parse_args()
    folder_bytes = sum(entry.stat().st_size for entry in os.scandir(options.folder))
    torch.set_num_threads(1)
    loader = DataLoader(
        make(options),
        batch_size=options.batch_size,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        prefetch_factor=4 if options.workers else None,
    )

    def epoch() -> tuple[int, int]:
        samples = touched = 0
        for batch in loader:
            count, seen = look(batch)
            samples, touched = samples + count, touched + seen
        return samples, folder_bytes

    serve(epoch, options.min_seconds)
