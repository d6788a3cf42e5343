# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects in order, whatever their sizes, on storages of every kind of reader."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from dl_driver.dataset.readahead import Glances, ReadAhead, Wanted
from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Storage, StorageSettings

WINDOW = 4096
SIZES = (1, 4095, 4096, 4097, 0, 3 * 4096, 100_000, 2, 40 * 4096 + 17, 5, 6, 7, 8, 9, 10, 11)


@pytest.fixture(params=["memory", "file-ring", "file-threads", "direct"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    scheme, _, engine = request.param.partition("-")
    uri = f"{scheme}://{tmp_path}"
    return open_storage(uri, StorageSettings(engine=engine or "auto"))


def content(number: int, size: int) -> bytes:
    return bytes((number * 31 + at // 256 + at) % 251 for at in range(size))


def filled(storage: Storage, sizes: Sequence[int] = SIZES) -> dict[str, bytes]:
    objects = {f"o/{number}": content(number, size) for number, size in enumerate(sizes)}
    for key, data in objects.items():
        storage.put(key, [Piece(0, data)])
    return objects


@pytest.mark.parametrize("told", ["size", "bound", "nothing"])
def test_every_object_comes_whole_and_in_order(storage: Storage, told: str) -> None:
    objects = filled(storage)
    sizes = {key: len(data) for key, data in objects.items()}
    wanted = [
        Wanted(key, size if told == "size" else None, size if told != "nothing" else 1 << 62)
        for key, size in sizes.items()
    ]
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        for _ in range(2):
            found = [b"".join(bytes(window.data) for window in windows) for windows in ahead.objects(wanted)]
            assert found == list(objects.values())


def test_offsets_follow_each_other(storage: Storage) -> None:
    filled(storage, (10_000,))
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        (offsets,) = [
            [(window.offset, len(window.data)) for window in windows]
            for windows in ahead.objects([Wanted("o/0", 10_000, 10_000)])
        ]
    assert offsets == [(0, 4096), (4096, 4096), (8192, 10_000 - 8192)]


def test_a_longer_object_shows_at_least_a_byte_more(storage: Storage) -> None:
    filled(storage, (9000,))
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        for size in (1, 4095, 4096, 8191, 8192, 8999):
            (length,) = [sum(len(w.data) for w in windows) for windows in ahead.objects([Wanted("o/0", size, size)])]
            assert size < length <= 9000


def test_a_shorter_object_ends_early(storage: Storage) -> None:
    objects = filled(storage, (9000, 5))
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        wanted = [Wanted("o/0", 200_000, 200_000), Wanted("o/1", 5, 5)]
        found = [b"".join(bytes(window.data) for window in windows) for windows in ahead.objects(wanted)]
    assert found == list(objects.values())


def test_what_is_not_taken_is_skipped(storage: Storage) -> None:
    objects = filled(storage)
    wanted = [Wanted(key, len(data), len(data)) for key, data in objects.items()]
    taken = []
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        for number, windows in enumerate(ahead.objects(wanted)):
            if number % 3 == 1:
                continue
            taken.append((number, bytes(next(windows).data[:1])))
    assert taken == [(number, content(number, size)[:1]) for number, size in enumerate(SIZES) if number % 3 != 1]


@pytest.mark.parametrize("size", [5, 100_000, None])
def test_a_missing_object_is_an_error_of_its_own(storage: Storage, size: int | None) -> None:
    objects = filled(storage, (5, 5))
    wanted = [Wanted("o/0", 5, 5), Wanted("o/none", size, size or 1 << 62), Wanted("o/1", 5, 5)]
    found = []
    with closing(ReadAhead(storage, WINDOW)) as ahead:
        for windows in ahead.objects(wanted):
            try:
                found.append(b"".join(bytes(window.data) for window in windows))
            except NotFoundError as error:
                found.append(b"none" if "none" in str(error) else b"")
    assert found == [objects["o/0"], b"none", objects["o/1"]]


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "o" / "0").mkdir(parents=True)
    with closing(ReadAhead(open_storage(f"file://{tmp_path}"), WINDOW)) as ahead:
        for windows in ahead.objects([Wanted("o/0", 100_000, 100_000)]):
            with pytest.raises(StorageError, match="it is a folder, expected a file"):
                next(windows)


def test_closing_amid_reads_waits_for_them(storage: Storage) -> None:
    filled(storage, (40 * 4096,))
    ahead = ReadAhead(storage, WINDOW)
    windows = next(ahead.objects([Wanted("o/0", 40 * 4096, 40 * 4096)]))
    next(windows)
    ahead.close()


def test_glances(storage: Storage) -> None:
    data = filled(storage, (10_000,))["o/0"]
    with closing(Glances(storage)) as glances:
        for offset, length in ((0, 10), (4095, 3), (9990, 100), (10_000, 5), (123, 9000)):
            assert glances.bytes_at("o/0", offset, length) == data[offset : offset + length]
        with pytest.raises(NotFoundError):
            glances.bytes_at("o/none", 0, 1)
        assert glances.bytes_at("o/0", 1, 1) == data[1:2]
