# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw: a file is its samples' bytes, one after another, and nothing else.

Where a sample lies follows from the file's size and the number of samples, so nothing is looked up.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    Layout,
    Reading,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.expectation import Expectation
from dl_driver.formats.packing import WHOLE_FILES
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, RegularSpans, SpanTable, coalesce
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece


@lru_cache(maxsize=4096)
def opaque(length: int) -> Layout:
    """The layout of a sample of so many bytes."""
    return (ArraySpec("x", "|u1", (length,), 0),)


class Raw(Format):
    """See Format."""

    name = "raw"
    suffix = "raw"
    any_name = True
    packs: ClassVar[frozenset[str]] = WHOLE_FILES
    indexed_by_size: ClassVar[bool] = True

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._expected: int | None = None
        """Bytes of a sample, where the workload says so."""

    def expect(self, expectation: Expectation) -> None:
        """See Format."""
        self._expected = expectation.sample_bytes

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        yield from writer.content(fill, spec.payload_bytes)
        yield from writer.finish()
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return spec.payload_bytes

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """See Format."""
        return SparseFile(spec.payload_bytes, ())

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.SPANS

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        return -(-file_bytes // samples_per_file) if record is None else record.sample_bytes

    def index_of(self, file_bytes: int, samples_per_file: int) -> FileIndex:
        """See Format."""
        length, rest = divmod(file_bytes, samples_per_file)
        if rest or not length:
            raise FormatError(
                f"{file_bytes} bytes are not {samples_per_file} samples of one length; check"
                " dataset.num_samples_per_file"
            )
        if self._expected not in (None, length):
            raise DataError(
                f"its samples have {length} bytes, {self._expected} by the workload; check dataset.record_length_bytes"
                " (or record_dims), record_element_type and num_samples_per_file against the data set"
            )
        return RegularSpans(samples_per_file, 0, length, length)

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        assert isinstance(index, RegularSpans | SpanTable)
        return coalesce(index, samples, limit)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        first = landed.starts[0]
        return [Placed(first + start, length, opaque(length)) for start, length in group.places]
