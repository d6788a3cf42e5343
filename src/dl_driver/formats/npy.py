# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""NPY: one array, a header before its bytes, no checksum."""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    Layout,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.npy_header import NpyHeader, build_npy_header, read_npy_header
from dl_driver.formats.packing import WHOLE_FILES
from dl_driver.formats.walk import Pass, Structure, Take, Walker
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece

ARRAY_NAME = "x"
"""An NPY file names no array; it is called as DLIO calls it in an NPZ."""


class Npy(Format):
    """See Format."""

    name = "npy"
    suffix = "npy"
    packs = WHOLE_FILES

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._header, self._size = b"", -1
        self._layout: Layout = ()
        """Of the file last seen: those of a data set are alike."""

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        yield from writer.text(_header(spec))
        yield from writer.content(fill, spec.payload_bytes)
        yield from writer.finish()
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return len(_header(spec)) + spec.payload_bytes

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """See Format."""
        return SparseFile(self.file_size(spec), (Piece(0, _header(spec)),))

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        if len(data) == self._size and data[: len(self._header)] == self._header:
            return self._layout
        walker = Walker(_NpyStructure())
        walker.feed(data)
        layout = walker.finish()
        self._header, self._size, self._layout = bytes(data[: layout[0].offset]), len(data), layout
        return layout

    def stream(self) -> Walker:
        """See Format."""
        return Walker(_NpyStructure())


def _header(spec: RecordSpec) -> bytes:
    return build_npy_header(np.dtype(spec.dtype).str, (*spec.dims, spec.num_samples))


class _NpyStructure(Structure):
    """Header and data."""

    def steps(self) -> Generator[Take | Pass, Any, None]:
        """See Structure."""
        header: NpyHeader = yield from read_npy_header(self, "the file", None)
        self.arrays.append(ArraySpec(ARRAY_NAME, header.dtype, header.shape, self.position, header.fortran_order))
        yield from self.skip(header.payload_bytes, "its data", None)
