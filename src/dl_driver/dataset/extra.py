# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects in the folders of a data set that do not belong to it. Whether a name belongs follows from the name alone."""

from collections.abc import Iterator, Sequence

from dl_driver.dataset.files import ComputedFiles
from dl_driver.errors import NotFoundError
from dl_driver.storage.base import Storage


def extra_keys(storage: Storage, splits: Sequence[ComputedFiles]) -> Iterator[str]:
    """What is listed there and neither a file nor a file's companion, in no particular order. Raises StorageError."""
    for folder in sorted({folder for files in splits for folder in _folders(files)}):
        try:
            yield from (info.key for info in storage.list(folder) if not _belongs(info.key, splits))
        except NotFoundError:
            continue


def _folders(files: ComputedFiles) -> Iterator[str]:
    yield files.folder
    for companion in files.file_format.companions:
        beside = companion.key(f"{files.folder}/any")
        if beside is not None:
            yield beside.rpartition("/")[0]


def _belongs(key: str, splits: Sequence[ComputedFiles]) -> bool:
    return any(_is_file(files, key) or _is_companion(files, key) for files in splits)


def _is_file(files: ComputedFiles, key: str) -> bool:
    index = _index(files, key)
    return index is not None and files.key(index) == key


def _is_companion(files: ComputedFiles, key: str) -> bool:
    for companion in files.file_format.companions:
        main = companion.main(key)
        index = None if main is None else _index(files, main)
        if index is not None and companion.key(files.key(index)) == key:
            return True
    return False


def _index(files: ComputedFiles, key: str) -> int | None:
    """The number in a name; None where there is none of this split."""
    try:
        index = files.index_of(key)
    except ValueError:
        return None
    return index if 0 <= index < len(files) else None
