# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the objects of a workload hold on ``null://``: valid files with a payload of zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

from dl_driver.dataset.files import ComputedFiles
from dl_driver.formats import get_format
from dl_driver.storage.base import Piece


@dataclass(frozen=True, slots=True)
class WorkloadObjects:
    """See StorageSettings.objects."""

    splits: tuple[ComputedFiles, ...]

    def __call__(self, key: str) -> tuple[int, Sequence[Piece]]:
        """Size and all bytes that are not zero."""
        files = next(split for split in self.splits if key.startswith(split.folder + "/"))
        sparse = get_format(files.format).sparse(files.record(files.index_of(key)))
        return sparse.size, sparse.pieces
