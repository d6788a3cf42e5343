# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch's samples by the files that they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.order import SampleRun


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of a batch that come from one file."""

    file: int
    samples: Sequence[int]
    """Ascending."""
    positions: Sequence[int]
    """Of each in the batch."""


def parts_of(files: NDArray[np.int64], samples: NDArray[np.int64]) -> list[Part]:
    """A batch's samples by file, in the order of each file's first sample in the batch."""
    order = np.lexsort((samples, files))
    by_file = files[order]
    starts = np.flatnonzero(np.diff(by_file, prepend=by_file[0] - 1))
    ends = np.append(starts[1:], len(files)).tolist()
    positions, numbers = order.tolist(), samples[order].tolist()
    parts = [
        Part(file, numbers[start:end], positions[start:end])
        for file, start, end in zip(by_file[starts].tolist(), starts.tolist(), ends, strict=True)
    ]
    parts.sort(key=lambda part: min(part.positions))
    return parts


def parts_of_runs(runs: Sequence[SampleRun]) -> list[Part]:
    """Each run of samples that lie together (Format.shuffle_unit) is a part of its own, which costs the same whatever
    its length."""
    parts, position = [], 0
    for file, first, count in runs:
        parts.append(Part(file, range(first, first + count), range(position, position + count)))
        position += count
    return parts
