# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data sets in which each file has a shape of its own: files of numpy.savez, one after another."""

import io

import numpy as np
import pytest

from dl_driver.errors import FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import views


def saved(shape: tuple[int, ...], dtype: str, labels: np.ndarray | None = None) -> memoryview:
    out = io.BytesIO()
    array = np.random.default_rng(sum(shape)).integers(0, 100, shape).astype(dtype)
    np.savez(out, x=array, y=np.zeros(shape[-1], np.int64) if labels is None else labels)
    return memoryview(bytearray(out.getvalue()))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_each_file_is_read_as_numpy_reads_it(dtype: str) -> None:
    npz = get_format("npz")
    for shape in [(3, 5, 1), (30, 5, 1), (4, 4, 7), (200, 300, 1), (3, 5, 1), (3, 5, 1), (9,)]:
        data = saved(shape, dtype)
        found, expected = views(data, npz.decode(data)), np.load(io.BytesIO(bytes(data)))
        assert found.keys() == set(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])


def test_labels_that_are_not_zero_are_read_too() -> None:
    data = saved((3, 5, 2), "uint8", np.array([4, 5]))
    npz = get_format("npz")
    assert views(data, npz.decode(data))["y"].tolist() == [4, 5]


def test_every_flipped_bit_is_found() -> None:
    data = saved((6, 5, 1), "uint8")
    length = len(data)
    for at in range(length):
        data[at] ^= 1
        npz = get_format("npz")
        try:
            layout = npz.decode(data)
        except FormatError:
            pass
        else:
            # Only what says nothing of the content: versions, dates and attributes of the archive's members.
            assert views(data, layout)["x"].shape == (6, 5, 1)
            assert np.load(io.BytesIO(bytes(data)))["x"].shape == (6, 5, 1)
        data[at] ^= 1
