# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the objects of a workload hold on ``null://``: valid files with a payload of zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

from dl_driver.dataset.files import ComputedFiles
from dl_driver.errors import NotFoundError, StorageError
from dl_driver.formats.base import SparseFile
from dl_driver.storage.base import Piece


@dataclass(frozen=True, slots=True)
class WorkloadObjects:
    """See StorageSettings.objects."""

    splits: tuple[ComputedFiles, ...]

    def __call__(self, key: str) -> tuple[int, Sequence[Piece]]:
        """Size and all bytes that are not zero."""
        for files in self.splits:
            sparse = _sparse(files, key)
            if sparse is not None:
                return sparse.size, sparse.pieces
            if key.startswith(files.folder + "/"):
                how = files.options.compression
                packed = "" if how == "none" else f" with dataset.compression={how}"
                raise StorageError(
                    f"null:// cannot make up {files.format} files{packed}: only encoding tells their bytes; generate"
                    " the data set on memory://, file:// or another storage"
                )
        raise NotFoundError(f"null:// has no object {key}: the workload says of none of that name what it holds")


def _sparse(files: ComputedFiles, key: str) -> SparseFile | None:
    """One split's object of that name, a companion perhaps."""
    file_format = files.file_format
    for number, companion in enumerate(file_format.companions):
        main = companion.main(key)
        if main is not None and main.startswith(files.folder + "/"):
            return file_format.sparse_companion(files.record(files.index_of(main)), number)
    if key.startswith(files.folder + "/"):
        return file_format.sparse(files.record(files.index_of(key)))
    return None
