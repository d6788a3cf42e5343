# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of all files of a split together, containers included, without asking for each file's size.

What stands around a file's samples depends on little: the digits of the shape (NPY, NPZ), the seven-bit groups of the
samples' length (TFRecord), whether sizes and offsets take ZIP's wide fields (from 2 GiB on, as zipfile decides). So
files are counted by these, and one of each kind is asked; all are asked where a kind is about to change.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.files import ComputedFiles
from dl_driver.formats import format_names

Int64 = NDArray[np.int64]
Kinds = tuple[Int64, NDArray[np.bool_]]
"""A number for each file, the same for those with as much around their samples, and which must be asked in any case."""

_WIDE = 1 << 31
_MARGIN = 1 << 20
"""Around the size at which a container changes, each file is asked."""
_POWERS = 10 ** np.arange(1, 19, dtype=np.int64)
_GROUPS = 1 << np.arange(7, 63, 7, dtype=np.int64)
_EXAMPLE_BYTES = 64
"""Around a TFRecord's samples, at most: lengths that count them change so far before the samples' own."""


def file_bytes(files: ComputedFiles) -> int | None:
    """The sum; None for a format that cannot tell."""
    if files.count == 0:
        return 0
    if files.format not in format_names():
        return None
    size = files.size(0)
    if files.uniform or size is None:
        return None if size is None else size * files.count
    kinds = _KINDS.get(files.format, _by_shape)
    return files.payload_bytes + sum(_containers(files, kinds, start, sides) for start, sides in _blocks(files))


def _by_digits(sides: Int64, sample_bytes: Int64, samples: int) -> Kinds:
    """NPY and NPZ."""
    payload = sample_bytes * samples
    digits = np.searchsorted(_POWERS, sides, side="right")
    return digits[:, 0] * 64 + digits[:, 1] * 2 + (payload > _WIDE), np.abs(payload - _WIDE) < _MARGIN


def _by_groups(sides: Int64, sample_bytes: Int64, samples: int) -> Kinds:
    """TFRecord."""
    groups = np.searchsorted(_GROUPS, sample_bytes, side="right").astype(np.int64)
    return groups, groups != np.searchsorted(_GROUPS, sample_bytes + _EXAMPLE_BYTES, side="right")


def _all_alike(sides: Int64, sample_bytes: Int64, samples: int) -> Kinds:
    """Contiguous HDF5, whose structure has fields of one width (but no leading dimension of one), and what has no
    container, or a line's ends."""
    return np.zeros(len(sides), np.int64), sides[:, 0] == 1


def _by_shape(sides: Int64, sample_bytes: Int64, samples: int) -> Kinds:
    """Any other."""
    return (sides[:, 0] << 32) + sides[:, 1], np.zeros(len(sides), np.bool_)


_KINDS: dict[str, Callable[[Int64, Int64, int], Kinds]] = {
    "npz": _by_digits,
    "npy": _by_digits,
    "tfrecord": _by_groups,
    **dict.fromkeys(("hdf5", "raw", "jsonl", "indexed_binary", "mmap_indexed_binary", "synthetic"), _all_alike),
}


def _blocks(files: ComputedFiles) -> Iterator[tuple[int, Int64]]:
    """The sides of this split's files, with the index of each block's first one."""
    at = 0
    for block in files.dimensions.blocks():
        start, end = max(files.first - at, 0), min(files.first + files.count - at, len(block))
        if start < end:
            yield at + start - files.first, block[start:end]
        at += len(block)


def _containers(files: ComputedFiles, kinds: Callable[[Int64, Int64, int], Kinds], start: int, sides: Int64) -> int:
    """Bytes around the samples of one block's files."""
    sample_bytes = sides[:, 0] * sides[:, 1] * np.dtype(files.dtype).itemsize
    kind, near = kinds(sides, sample_bytes, files.samples_per_file)
    total = sum(_container(files, start + int(index)) for index in np.flatnonzero(near))
    _, examples, counts = np.unique(kind[~near], return_index=True, return_counts=True)
    indices = np.flatnonzero(~near)[examples]
    return total + sum(
        _container(files, start + int(index)) * int(count) for index, count in zip(indices, counts, strict=True)
    )


def _container(files: ComputedFiles, index: int) -> int:
    size = files.size(index)
    assert size is not None  # a format knows all sizes or none
    return size - files.record(index).payload_bytes
