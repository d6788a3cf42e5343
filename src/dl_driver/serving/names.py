# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a workload's files a path means, whatever the storage's way to write it.

``/bucket/prefix/train/img_0_of_8.npz`` (S3, GCS), ``/account/container/prefix/train/...`` (Azure) and
``/storage/v1/b/bucket/o/prefix%2Ftrain%2F...`` (GCS's JSON) all end with the file's key, which starts with its split's
folder; what stands before it may be anything, so the data set lies wherever a client looks for it.
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dl_driver.dataset.files import ComputedFiles


class Found(NamedTuple):
    """A file of the workload."""

    files: ComputedFiles
    number: int


def find(path: str, splits: Sequence[ComputedFiles]) -> Found | None:
    """The file whose key ends this unquoted path; None where there is none."""
    for files in splits:
        _, folder, name = f"/{path}".rpartition(f"/{files.folder}/")
        if folder and (found := _by_key(files, f"{files.folder}/{name}")) is not None:
            return found
    return None


def _by_key(files: ComputedFiles, key: str) -> Found | None:
    try:
        index = files.index_of(key)
    except ValueError:
        return None
    return Found(files, index) if 0 <= index < len(files) and files.key(index) == key else None


@dataclass(frozen=True, slots=True)
class SortedKeys:
    """All keys of one split in the order of their bytes, none of them held: each is computed from its position."""

    files: ComputedFiles

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> str:
        """The key at a position."""
        return self.files.key(self.index(position))

    def index(self, position: int) -> int:
        """The file's index: subfolder after subfolder, and in each every so-many-th file."""
        folders = self.files.subfolders
        if folders <= 1:
            return position
        short, longer = divmod(len(self.files), folders)
        in_longer = longer * (short + 1)
        if position < in_longer:
            folder, row = divmod(position, short + 1)
        else:
            folder, row = divmod(position - in_longer, short)
            folder += longer
        return folder + row * folders

    def first_from(self, key: str) -> int:
        """The position of the first key that is not before ``key``."""
        return bisect.bisect_left(range(len(self)), key, key=self.__getitem__)

    def first_after(self, prefix: str) -> int:
        """The position of the first key behind all those that start with ``prefix``."""
        return bisect.bisect_right(range(len(self)), prefix, key=lambda position: self[position][: len(prefix)])


class Entry(NamedTuple):
    """One line of a listing."""

    name: str
    """The object's whole name, or a common prefix's."""
    found: Found | None
    """None for a common prefix."""
    next: str
    """Where a listing goes on behind this entry: the split's number and the position in it."""


def root_of(prefix: str, folders: Sequence[str]) -> str:
    """Where the data set lies for a client that lists ``prefix``: before the split's folder, or a beginning of its
    name, that the prefix names; else at the prefix itself."""
    parts = prefix.split("/")
    for position, part in enumerate(parts):
        if part in folders:
            return "".join(f"{before}/" for before in parts[:position])
    if parts[-1] and any(folder.startswith(parts[-1]) for folder in folders):
        return prefix[: -len(parts[-1])]
    return f"{prefix}/" if parts[-1] else prefix


def entries(splits: Sequence[ComputedFiles], prefix: str, delimiter: str, start: str) -> Iterator[Entry]:
    """The objects whose names start with ``prefix``, in the order of their bytes, those beyond ``delimiter`` as one
    entry each; from ``start``, an entry's ``next``. Raises ValueError for a start that is none."""
    root = root_of(prefix, [files.folder for files in splits])
    split, _, position = (start or "0-0").partition("-")
    at, ordered = int(position), sorted(splits, key=lambda files: files.folder)
    cut = root.find(delimiter, len(prefix)) if delimiter else -1
    if cut >= 0:
        # The whole data set lies beyond the delimiter.
        if not start:
            yield Entry(root[: cut + len(delimiter)], None, f"{len(ordered)}-0")
        return
    view = _View(root, prefix.removeprefix(root) if prefix.startswith(root) else "", delimiter)
    for number in range(int(split), len(ordered)):
        yield from _entries_of(SortedKeys(ordered[number]), number, view, at)
        at = 0


class _View(NamedTuple):
    """What of the data set a listing shows."""

    root: str
    """Before each key."""
    prefix: str
    """Of the keys."""
    delimiter: str


def _entries_of(keys: SortedKeys, number: int, view: _View, at: int) -> Iterator[Entry]:
    at, end = max(at, keys.first_from(view.prefix)), keys.first_after(view.prefix)
    while at < end:
        key = keys[at]
        cut = key.find(view.delimiter, len(view.prefix)) if view.delimiter else -1
        if cut < 0:
            at += 1
            yield Entry(view.root + key, Found(keys.files, keys.index(at - 1)), f"{number}-{at}")
        else:
            common = key[: cut + len(view.delimiter)]
            at = keys.first_after(common)
            yield Entry(view.root + common, None, f"{number}-{at}")
