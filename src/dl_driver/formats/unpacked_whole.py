# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that can only be read and unpacked from their first byte to their last."""

from collections.abc import Sequence

from dl_driver.formats.base import Format, Indexing, Reading
from dl_driver.formats.spans import FileIndex, Group, WholeFile


class UnpackedWhole(Format):
    """See Format: whichever samples are wanted of a file, all of it is read; what is to be done then, a subclass
    says."""

    streams = False

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.UNPACKED

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        yield from ()
        return WholeFile(samples_per_file)

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        assert isinstance(index, WholeFile)
        return index.group(samples)
