# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An object is written whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece


def failing() -> Iterator[Piece]:
    yield Piece(0, b"begun")
    raise RuntimeError


@pytest.mark.parametrize("scheme", ["file", "direct"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(RuntimeError):
        open_storage(f"{scheme}://{tmp_path}").put("a", failing())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]


@pytest.mark.parametrize("scheme", ["file", "direct"])
def test_a_name_that_is_taken_by_a_folder(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        open_storage(f"{scheme}://{tmp_path}").put("a", [Piece(0, b"content")])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("place", ["file://{}", "direct://{}", "memory://writes"])
def test_what_is_not_there(tmp_path: Path, place: str) -> None:
    with pytest.raises(NotFoundError):
        open_storage(place.format(tmp_path)).stat("missing")
