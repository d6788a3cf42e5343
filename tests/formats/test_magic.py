# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of another format is named in the error."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from dl_driver import open_loader
from dl_driver.errors import DataError, FormatError
from dl_driver.formats import get_format


@pytest.mark.parametrize("name", ["npy", "npz"])
def test_a_file_of_another_format_is_named(name: str) -> None:
    with pytest.raises(FormatError, match="starts like a gzip file: check dataset"):
        get_format(name).decode(memoryview(gzip.compress(b"hello")))


def test_npy_and_npz_are_told_apart() -> None:
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, np.zeros(5))
    np.savez(npz, np.zeros(5))
    with pytest.raises(FormatError, match="starts like an NPY file"):
        get_format("npz").decode(memoryview(npy.getvalue()))
    with pytest.raises(FormatError, match="starts like a ZIP or NPZ file"):
        get_format("npy").decode(memoryview(npz.getvalue()))


def test_a_name_that_says_something_else_than_the_first_bytes(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        np.savez(file, np.zeros(5))
    message = r"a\.csv: starts like a ZIP or NPZ file, but is read as csv; check dataset\.format"
    with pytest.raises(DataError, match=message):
        open_loader(str(tmp_path))
    with pytest.raises(DataError, match=message):
        open_loader(str(tmp_path), format="csv")
    with open_loader(str(tmp_path), format="raw", batch_size=1) as loader:
        assert [len(batch) for batch in loader] == [1]


def test_first_bytes_tell_where_names_do_not(tmp_path: Path) -> None:
    for name in ("one", "two.data"):
        with (tmp_path / name).open("wb") as file:
            np.save(file, np.arange(4))
    with open_loader(str(tmp_path), batch_size=2) as loader:
        assert [sample["x"].tolist() for batch in loader for sample in batch] == [[0, 1, 2, 3]] * 2
