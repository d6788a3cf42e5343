# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deflated NPZ files before numpy's eyes, and numpy's before ours."""

import io
from pathlib import Path

import numpy as np
import pytest

from dl_driver import open_loader
from dl_driver.dataset.content import FileContent
from dl_driver.errors import DataError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import FormatOptions, RecordSpec

ZIP = FormatOptions(compression="zip")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64"])
@pytest.mark.parametrize("samples", [1, 4])
def test_numpy_reads_what_is_written(dtype: str, samples: int) -> None:
    spec = RecordSpec((70, 33), dtype, samples)
    data = b"".join(bytes(part) for _, part in get_format("npz", ZIP).encode(spec, FileContent(3, 0, dtype).fill))
    payload = memoryview(bytearray(spec.payload_bytes))
    FileContent(3, 0, dtype).fill(0, payload)
    with np.load(io.BytesIO(data)) as arrays:
        assert sorted(arrays) == ["x", "y"]
        np.testing.assert_array_equal(arrays["x"], np.frombuffer(payload, dtype).reshape(70, 33, samples))
        assert arrays["y"].tolist() == [0] * samples


def test_what_numpy_wrote_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    written = [{"a": rng.integers(0, 9, (5, 4)), "b": np.asfortranarray(rng.normal(size=(3, 7)))} for _ in range(3)]
    for number, arrays in enumerate(written):
        np.savez_compressed(tmp_path / f"{number}.npz", **arrays)
    with open_loader(str(tmp_path), batch_size=3, compression="zip") as loader:
        (batch,) = loader
        for sample, arrays in zip(batch, written, strict=True):
            assert list(sample) == ["a", "b"]
            for name, array in arrays.items():
                np.testing.assert_array_equal(sample[name], array)


def test_the_way_out_is_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", x=np.zeros(100))
    with (
        pytest.raises(FormatError, match=r"compressed .*set dataset\.compression"),
        open_loader(str(tmp_path)) as loader,
    ):
        list(loader)


def test_what_has_no_room_is_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", x=np.zeros(50_000_000, np.uint8))
    with (
        pytest.raises(DataError, match=r"0\.npz: a sample takes 50000\d+ bytes"),
        open_loader(str(tmp_path), compression="zip", batch_size=1) as loader,
    ):
        list(loader)
