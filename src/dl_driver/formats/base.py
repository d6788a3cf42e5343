# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format is an index of byte ranges and a decoder over memory.

A format says which bytes of which object a sample needs and turns those bytes into arrays without copying. It never
opens a file, so each format works on every storage.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from dl_driver.storage.base import Piece

ContentReader = Callable[[int, memoryview], None]
"""``fill(offset, into)``: the content's bytes from this offset of the file's payload on."""


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """What one file holds."""

    dims: tuple[int, ...]
    """Shape of one sample."""
    dtype: str
    """NumPy's name."""
    num_samples: int
    """The samples lie along the last axis: the array's shape is ``(*dims, num_samples)``."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of the samples alone."""
        count = self.num_samples
        for dim in self.dims:
            count *= dim
        return count * np.dtype(self.dtype).itemsize


class ArraySpec(NamedTuple):
    """Where one array lies in a file's bytes."""

    name: str
    dtype: str
    """NumPy's typestr, such as ``|u1`` or ``<i8``."""
    shape: tuple[int, ...]
    offset: int
    """From the file's first byte."""
    fortran_order: bool = False


Layout = tuple[ArraySpec, ...]
"""The arrays of a file, in the file's order."""


class SparseFile(NamedTuple):
    """A valid file whose payload is zeros: everything that is not zero, and the size."""

    size: int
    pieces: tuple[Piece, ...]


class StreamDecoder(Protocol):
    """Checks a file that passes by in windows, in order, without holding it."""

    @property
    def layout_so_far(self) -> Layout:
        """The arrays whose headers have passed; not to be trusted before ``finish`` returned."""
        ...

    def feed(self, window: memoryview) -> None:
        """The file's next bytes. Raises FormatError as soon as they cannot be right."""
        ...

    def finish(self) -> Layout:
        """After the last byte: raises FormatError unless the file was whole and its checksums were right."""
        ...


class Format(Protocol):
    """One file format. Stateless but for caches; used by one thread at a time."""

    name: str
    suffix: str
    """Without the dot."""

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """The file's bytes, never all in memory at once. A piece's memory may be reused after the next is asked for."""
        ...

    def file_size(self, spec: RecordSpec) -> int:
        """Bytes of the file that ``encode`` makes, computed, not tried."""
        ...

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """The same file with a payload of zeros, its checksums right for that."""
        ...

    def decode(self, data: memoryview) -> Layout:
        """The layout of a whole file, checked: structure, sizes, checksums. Raises FormatError saying what is wrong.
        Hot: called for every file read; a layout may be shared between calls."""
        ...

    def stream(self) -> StreamDecoder:
        """For files larger than a reader's window."""
        ...


def view(data: memoryview, array: ArraySpec) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """The array in a file's bytes, as a view."""
    dtype = np.dtype(array.dtype)
    return np.ndarray(array.shape, dtype, data, array.offset, order="F" if array.fortran_order else "C")


def views(
    data: memoryview, layout: Sequence[ArraySpec]
) -> "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]":
    """All arrays of a file by name."""
    return {array.name: view(data, array) for array in layout}
