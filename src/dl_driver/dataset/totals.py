# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of all files of a split together, containers included, without asking for each file's size.

A container of NPZ or NPY is as long as its header, and that depends on the number of digits in the shape alone, and on
whether sizes and offsets take the wide fields (from 2 GiB on, as zipfile decides). So files are counted by these, and
one of each kind is asked.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.files import ComputedFiles
from dl_driver.formats import format_names

_DIGIT_SIZED = ("npz", "npy")
_WIDE = 1 << 31
_MARGIN = 1 << 20
"""Around the size at which a container changes, each file is asked."""
_POWERS = 10 ** np.arange(1, 19, dtype=np.int64)


def file_bytes(files: ComputedFiles) -> int | None:
    """The sum; None for a format that cannot tell."""
    if files.count == 0:
        return 0
    if files.format not in format_names():
        return None
    if files.uniform:
        size = files.size(0)
        return None if size is None else size * files.count
    if files.format not in _DIGIT_SIZED:
        return None
    return files.payload_bytes + sum(_containers(files, start, sides) for start, sides in _blocks(files))


def _blocks(files: ComputedFiles) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The sides of this split's files, with the index of each block's first one."""
    at = 0
    for block in files.dimensions.blocks():
        start, end = max(files.first - at, 0), min(files.first + files.count - at, len(block))
        if start < end:
            yield at + start - files.first, block[start:end]
        at += len(block)


def _containers(files: ComputedFiles, start: int, sides: NDArray[np.int64]) -> int:
    """Bytes around the samples of one block's files."""
    payload = sides[:, 0] * sides[:, 1] * np.dtype(files.dtype).itemsize * files.samples_per_file
    digits = np.searchsorted(_POWERS, sides, side="right")
    kind = digits[:, 0] * 64 + digits[:, 1] * 2 + (payload > _WIDE)
    near = np.abs(payload - _WIDE) < _MARGIN
    total = sum(_container(files, start + int(index)) for index in np.flatnonzero(near))
    _, examples, counts = np.unique(kind[~near], return_index=True, return_counts=True)
    indices = np.flatnonzero(~near)[examples]
    return total + sum(
        _container(files, start + int(index)) * int(count) for index, count in zip(indices, counts, strict=True)
    )


def _container(files: ComputedFiles, index: int) -> int:
    size = files.size(index)
    assert size is not None  # formats of _DIGIT_SIZED always know
    return size - files.record(index).payload_bytes
