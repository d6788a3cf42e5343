# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes that a worker keeps, since samples of one file are read again and again."""

from collections import OrderedDict

from dl_driver.formats.spans import FileIndex

INDEX_CACHE_BYTES = 64 << 20
"""Of indexes, a worker; the last one is kept whatever its size."""


class IndexCache:
    """Indexes by file, those used last, up to a number of bytes."""

    def __init__(self, limit: int = INDEX_CACHE_BYTES) -> None:
        self._limit, self._used = limit, 0
        self._kept: OrderedDict[int, FileIndex] = OrderedDict()

    def get(self, file: int) -> FileIndex | None:
        """A file's index where it is kept."""
        index = self._kept.get(file)
        if index is not None:
            self._kept.move_to_end(file)
        return index

    def put(self, file: int, index: FileIndex) -> None:
        """Keep this one, and drop those not used for longest while there are too many bytes."""
        replaced = self._kept.pop(file, None)
        self._kept[file] = index
        self._used += index.nbytes - (0 if replaced is None else replaced.nbytes)
        while self._used > self._limit and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._used -= dropped.nbytes
