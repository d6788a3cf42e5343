# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_driver.dataset.content import FileContent


def content(offset: int, count: int, *, seed: int = 7, file: int = 3, dtype: str = "uint8", shift: int = 0) -> bytes:
    buffer = memoryview(bytearray(count + shift))
    FileContent(seed, file, dtype).fill(offset, buffer[shift:])
    return bytes(buffer[shift:])


WHOLE = content(0, 1_000_000)


@given(st.integers(0, 900_000), st.integers(0, 99_999), st.integers(0, 15))
def test_any_part_is_a_part_of_the_whole(offset: int, count: int, shift: int) -> None:
    assert content(offset, count, shift=shift) == WHOLE[offset : offset + count]


def test_files_and_seeds_differ() -> None:
    others = [content(0, 4096, seed=8), content(0, 4096, file=4), content(1 << 18, 4096), content(1 << 40, 4096)]
    assert len({WHOLE[:4096], *others}) == 5


def test_it_does_not_compress_and_no_four_kibibytes_come_again() -> None:
    two_files = WHOLE + content(0, 1_000_000, file=4)
    assert len(zlib.compress(two_files, 9)) > len(two_files)
    blocks = {two_files[at : at + 4096] for at in range(0, len(two_files), 4096)}
    assert len(blocks) == -(-len(two_files) // 4096)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_floats_are_finite(dtype: str) -> None:
    values = np.frombuffer(content(0, 800_000, dtype=dtype), dtype)
    assert np.isfinite(values).all()
    part = content(40_003, 5_000, dtype=dtype)
    assert part == content(0, 45_003, dtype=dtype)[40_003:]


def test_bools_are_bools() -> None:
    assert set(content(5, 10_000, dtype="bool")) == {0, 1}
