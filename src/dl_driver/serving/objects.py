# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of a workload's files as slices: of their few bytes that are not zero, and of one buffer of zeros."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from dl_driver.dataset.files import ComputedFiles
from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.base import RecordSpec, SparseFile
from dl_driver.serving.names import Found
from dl_driver.storage.base import Piece

ZEROS = memoryview(bytes(1 << 18))
"""Small enough to stay in a core's cache while it is copied to sockets."""


class Objects:
    """What files hold; for one thread."""

    def __init__(self) -> None:
        self._sparse = lru_cache(maxsize=1024)(self._make)

    def of(self, found: Found) -> SparseFile:
        """The file's size and what is not zero in it."""
        return self._sparse(found.files, found.files.record(found.number))

    def _make(self, files: ComputedFiles, record: RecordSpec) -> SparseFile:
        file = files.file_format.sparse(record)
        if file is None:
            raise ConfigError([Problem("dataset.format", f"{files.format!r} files cannot be made up, only generated")])
        return SparseFile(file.size, tuple(without_overlaps(file.pieces)))


def slices(file: SparseFile, start: int, end: int) -> Iterator[memoryview]:
    """The bytes [start, end) of a file whose pieces do not overlap."""
    at = start
    for offset, data in file.pieces:
        if offset >= end:
            break
        if offset + len(data) <= at:
            continue
        yield from _zeros(offset - at)
        at = max(at, offset)
        part = memoryview(data)[at - offset : end - offset]
        yield part
        at += len(part)
    yield from _zeros(end - at)


def without_overlaps(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """The same bytes in ascending pieces: patches, which come last, are laid over what they patch."""
    if all(one.offset + len(one.data) <= other.offset for one, other in pairwise(pieces)):
        return pieces
    laid: list[Piece] = []
    for patch in pieces:
        laid = [*(part for piece in laid for part in _around(piece, patch)), patch]
    return sorted(laid, key=lambda piece: piece.offset)


def _around(piece: Piece, patch: Piece) -> Iterator[Piece]:
    """What of a piece lies before a patch and behind it."""
    before = max(0, min(len(piece.data), patch.offset - piece.offset))
    behind = max(0, min(len(piece.data), patch.offset + len(patch.data) - piece.offset))
    if before:
        yield Piece(piece.offset, piece.data[:before])
    if behind < len(piece.data):
        yield Piece(piece.offset + behind, piece.data[behind:])


def _zeros(count: int) -> Iterator[memoryview]:
    while count > 0:
        part = ZEROS[:count]
        yield part
        count -= len(part)
