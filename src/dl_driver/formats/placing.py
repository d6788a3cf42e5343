# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copying a sample's arrays, or its bytes, to where a batch has room for them."""

from collections.abc import Mapping

import numpy as np

from dl_driver.errors import DataError
from dl_driver.formats.base import ArraySpec
from dl_driver.formats.spans import Placed, too_large

_ALIGN = 64


def aligned(offset: int) -> int:
    """The next offset at which an array may begin."""
    return -(-offset // _ALIGN) * _ALIGN


def place_arrays(
    arrays: "Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]",
    sample: int,
    samples: int,
    at: int,
    into: memoryview,
) -> Placed:
    """One sample's arrays, copied to ``at``; of several samples those along the last axis, as dlio_benchmark's."""
    layout, offset = [], 0
    for name, whole in arrays.items():
        if samples > 1 and (whole.ndim == 0 or whole.shape[-1] != samples):
            raise DataError(
                f"array {name!r} has shape {whole.shape}, expected {samples} samples along the last axis"
                " (dataset.num_samples_per_file)"
            )
        array = whole[..., sample] if samples > 1 else whole
        offset = aligned(offset)
        if at + offset + array.nbytes > len(into):
            raise too_large(offset + array.nbytes, len(into) - at)
        np.ndarray(array.shape, array.dtype, into, at + offset)[...] = array
        layout.append(ArraySpec(name, array.dtype.str, array.shape, offset))
        offset += array.nbytes
    return Placed(at, offset, tuple(layout))


def place_copy(source: memoryview, placed: Placed, at: int, into: memoryview) -> Placed:
    """A sample that lies in ``source``, copied to ``at``."""
    start, length, layout = placed
    if at + length > len(into):
        raise too_large(length, len(into) - at)
    into[at : at + length] = source[start : start + length]
    return Placed(at, length, layout)
