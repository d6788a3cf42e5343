# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that NumPy wrote, against what a workload may say of them."""

import io
from typing import Any

import numpy as np
import pytest

from dl_driver.errors import DataError
from dl_driver.formats import get_format
from dl_driver.formats.base import ArraySpec, FormatOptions
from dl_driver.formats.expectation import Expectation, expecting, sample_check
from dl_driver.formats.spans import Placed

AS_WRITTEN = Expectation("float32", 3, (4, 5))


def file_bytes(suffix: str) -> memoryview:
    out = io.BytesIO()
    x = np.ones((4, 5, 3), np.float32)
    if suffix == "npz":
        np.savez(out, x=x, y=np.zeros(3, np.int64))
    else:
        np.save(out, x)
    return memoryview(bytearray(out.getvalue()))


@pytest.mark.parametrize("suffix", ["npz", "npy"])
@pytest.mark.parametrize("expected", [AS_WRITTEN, Expectation("float32", 3, None), None])
def test_what_is_expected_passes(suffix: str, expected: Expectation | None) -> None:
    data = file_bytes(suffix)
    file_format = expecting(get_format(suffix), expected)
    for _ in range(2):
        assert file_format.decode(data) == get_format(suffix).decode(data)
    stream = file_format.stream()
    stream.feed(data)
    assert stream.finish() == get_format(suffix).decode(data)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
@pytest.mark.parametrize(
    "expected",
    [
        Expectation("uint8", 3, (4, 5)),
        Expectation("float32", 3, (5, 4)),
        Expectation("float32", 1, (4, 5)),
        Expectation("float32", 5, None),
    ],
)
def test_anything_else_does_not(suffix: str, expected: Expectation) -> None:
    data = file_bytes(suffix)
    file_format = expecting(get_format(suffix), expected)
    for _ in range(2):
        with pytest.raises(DataError, match=r"array x is float32 \(4, 5, 3\), the workload says"):
            file_format.decode(data)
    stream = file_format.stream()
    stream.feed(data)
    with pytest.raises(DataError):
        stream.finish()


def test_an_array_of_another_name() -> None:
    out = io.BytesIO()
    np.savez(out, images=np.ones((4, 5, 3), np.float32))
    with pytest.raises(DataError, match="holds images, expected an array x"):
        expecting(get_format("npz"), AS_WRITTEN).decode(memoryview(bytearray(out.getvalue())))


def placed(name: str, dtype: str, shape: tuple[int, ...]) -> list[Placed]:
    return [Placed(0, 0, (ArraySpec(name, dtype, shape, 0),))]


@pytest.mark.parametrize(
    ("name", "options", "samples", "right"),
    [
        ("npz", FormatOptions(compression="zip"), 1, ("x", "<f4", (4, 5, 1))),
        ("npz", FormatOptions(compression="zip"), 3, ("x", "<f4", (4, 5))),
        ("csv", FormatOptions(), 1, ("x", "<f4", (20,))),
        ("raw", FormatOptions(), 3, ("x", "|u1", (80,))),
        ("jsonl", FormatOptions(), 3, ("text", "|u1", (80,))),
    ],
)
def test_unpacked_samples(name: str, options: FormatOptions, samples: int, right: tuple[str, str, Any]) -> None:
    """20 float32 are 80 bytes."""
    check = sample_check(get_format(name, options), Expectation("float32", samples, (4, 5)))
    array, dtype, shape = right
    for _ in range(2):
        check.check(placed(*right))
    for wrong in (placed(array, dtype, (*shape, 2)), placed(array, "<u2", shape)):
        with pytest.raises(DataError, match=f"its array {array} is .*, the workload says"):
            check.check(placed(*right) + wrong)
    with pytest.raises(DataError, match=f"holds other, expected an array {array}"):
        check.check(placed("other", dtype, shape))


def test_unpacked_samples_of_which_nothing_is_known_pass() -> None:
    assert sample_check(get_format("raw"), None) is None
    assert sample_check(get_format("csv"), Expectation("float32", 3, None)) is None
    assert sample_check(get_format("jsonl", FormatOptions(decode=False)), Expectation("uint8", 3, (4, 5))) is None
