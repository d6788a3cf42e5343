# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of anybody's images: of any sizes and kinds, without a word about what they hold."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dl_driver import open_loader
from dl_driver.dataset.files import ListedFiles
from dl_driver.errors import DataError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import FormatOptions
from dl_driver.loader import probing
from dl_driver.loader.probing import probed_sample_bytes
from dl_driver.storage import open_storage
from dl_driver.storage.base import StorageSettings

# Sides, and bytes of a pixel: colour but for every third.
SIDES = [(30, 40), (200, 10), (500, 300), (8, 8), (64, 65), (333, 77), (40, 30)]


def photographs(folder: Path) -> dict[str, int]:
    """JPEG files under three suffixes and the bytes of their pixels."""
    sizes = {}
    for number, (height, width) in enumerate(SIDES):
        image = Image.effect_noise((width, height), 60)
        if number % 3:
            image = image.convert("RGB")
        name = f"{number}.{('jpg', 'jpeg', 'JPG')[number % 3]}"
        image.save(folder / name, "JPEG", quality=30, exif=camera_notes())
        sizes[name] = height * width * len(image.getbands())
    return sizes


def camera_notes() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    return exif


def listed(folder: Path) -> ListedFiles:
    names = sorted(path.name for path in folder.iterdir())
    return ListedFiles(names, [(folder / name).stat().st_size for name in names])


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_pixel_comes(tmp_path: Path, batch_size: int, scheme: str) -> None:
    sizes = photographs(tmp_path)
    with open_loader(f"{scheme}://{tmp_path}", format="jpeg", batch_size=batch_size, workers=1, shuffle=True) as loader:
        for _ in range(2):
            seen = {}
            for batch in loader:
                for key, sample in zip(batch.keys, batch, strict=True):
                    assert np.array_equal(sample["x"], np.asarray(Image.open(tmp_path / key)))
                    seen[key] = sample["x"].nbytes
            assert seen == sizes


def test_a_crop_of_each(tmp_path: Path) -> None:
    photographs(tmp_path)
    with open_loader(str(tmp_path), format="jpeg", batch_size=2, workers=1, crop_bytes=100) as loader:
        for batch in loader:
            for key, sample in zip(batch.keys, batch, strict=True):
                expected = np.asarray(Image.open(tmp_path / key)).reshape(-1)[:100]
                assert np.array_equal(sample["x"].reshape(-1), expected[:100])


def test_passed_on_as_they_are(tmp_path: Path) -> None:
    photographs(tmp_path)
    with open_loader(str(tmp_path), format="jpeg", batch_size=2, workers=1, decode=False) as loader:
        for batch in loader:
            for key, sample in zip(batch.keys, batch, strict=True):
                assert sample["x"].tobytes() == (tmp_path / key).read_bytes()


def test_room_is_for_the_largest_batch(tmp_path: Path) -> None:
    """Pixels take 150,000 * 3 and 25,641 * 3 and less, in steps of 64: 450,048 and 76,928; the mean of both."""
    photographs(tmp_path)
    storage = open_storage(f"file://{tmp_path}", StorageSettings())
    files, jpeg = listed(tmp_path), get_format("jpeg")
    assert probed_sample_bytes(storage, files, jpeg, 1) == 450_048
    assert probed_sample_bytes(storage, files, jpeg, 2) == (450_048 + 76_928) // 2
    assert probed_sample_bytes(storage, files, get_format("jpeg", FormatOptions(decode=False)), 1) is None
    assert probed_sample_bytes(storage, files, get_format("npz"), 1) is None


def test_of_many_files_some_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest is among them; a quarter more is left for those not asked."""
    photographs(tmp_path)
    monkeypatch.setattr(probing, "_MOST_FILES", 3)
    monkeypatch.setattr(probing, "_LARGEST_FILES", 1)
    storage = open_storage(f"file://{tmp_path}", StorageSettings())
    assert probed_sample_bytes(storage, listed(tmp_path), get_format("jpeg"), 1) == 450_048 * 5 // 4


def test_a_header_behind_much_else(tmp_path: Path) -> None:
    """A profile of 3 MB, in segments of 64 KB, stands before the frame's header."""
    Image.effect_noise((20, 10), 60).save(tmp_path / "0.jpg", "JPEG", icc_profile=bytes(3_000_000))
    storage = open_storage(f"file://{tmp_path}", StorageSettings())
    assert probed_sample_bytes(storage, listed(tmp_path), get_format("jpeg"), 1) == 256  # 200, in steps of 64
    with open_loader(str(tmp_path), workers=1) as loader:
        (batch,) = loader
        assert batch[0]["x"].shape == (10, 20)


@pytest.mark.parametrize("damage", [slice(-5), slice(50), slice(0), slice(90, 200)])
def test_a_damaged_file_is_named(tmp_path: Path, damage: slice) -> None:
    photographs(tmp_path)
    path = tmp_path / "5.JPG"
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(FormatError, match=r"5\.JPG: "), open_loader(str(tmp_path), format="jpeg", workers=1) as loader:
        list(loader)


def test_nothing_of_the_kind(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF")
    with pytest.raises(DataError, match=r"ends in \.jpeg or \.jpg; see"):
        open_loader(str(tmp_path), format="jpeg")


def test_png_of_several_kinds(tmp_path: Path) -> None:
    expected = {}
    for number, mode in enumerate(["L", "RGB", "RGBA", "LA", "I;16"]):
        image = Image.effect_noise((30 + number, 40), 60).convert(mode)
        image.save(tmp_path / f"{number}.png")
        with io.BytesIO((tmp_path / f"{number}.png").read_bytes()) as data:
            expected[f"{number}.png"] = np.asarray(Image.open(data))
    with open_loader(str(tmp_path), batch_size=5, workers=1) as loader:
        (batch,) = loader
        for key, sample in zip(batch.keys, batch, strict=True):
            assert sample["x"].dtype == expected[key].dtype
            assert np.array_equal(sample["x"], expected[key])
