# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Synthetic: samples of zeros that are in memory already. No file exists and none is read.

What a run then shows is the loader and the accelerators alone: the upper bound of any storage.
"""

from collections.abc import Iterator, Mapping, Sequence

from dl_driver.formats.base import (
    DEFAULTS,
    ContentReader,
    Format,
    FormatOptions,
    Reading,
    RecordSpec,
)
from dl_driver.formats.raw import opaque
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, PlacedRows, RegularSpans, too_large
from dl_driver.storage.base import Piece


class Synthetic(Format):
    """See Format."""

    name = "synthetic"
    suffix = "synthetic"
    indexed_by_size = True
    stored = False

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._made = 0

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format: nothing is written."""
        return iter(())

    def file_size(self, spec: RecordSpec) -> int:
        """See Format: what its samples take in memory."""
        return spec.payload_bytes

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.UNPACKED

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        return -(-file_bytes // samples_per_file) if record is None else record.sample_bytes

    def index_of(self, file_bytes: int, samples_per_file: int) -> FileIndex:
        """See Format."""
        length = file_bytes // samples_per_file
        return RegularSpans(samples_per_file, 0, length, length)

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format: a group without spans."""
        return (Group((), samples),)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format. The batch's memory is zeros from the start and nothing else writes to it; samples share it."""
        assert isinstance(index, RegularSpans)
        length, count = index.length, len(group.samples)
        if length > len(into):
            raise too_large(length, len(into))
        self._made += count
        return PlacedRows(count, 0, 0, length, opaque(length))

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return {"samples that no storage was read for": self._made} if self._made else {}
