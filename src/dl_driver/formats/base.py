# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format is an index of byte ranges and a decoder over memory.

A format says which bytes of which object a sample needs and turns those bytes into arrays without copying. It never
opens a file, so each format works on every storage. There are three ways to read, see ``Reading``; a format may choose
by the number of samples that a file holds.
"""

import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.options import Hdf5Options, ParquetOptions
from dl_driver.formats.spans import FileIndex, Group, Landed, Need, Placed
from dl_driver.storage.base import Piece

if TYPE_CHECKING:
    from dl_driver.formats.expectation import Expectation

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

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample alone."""
        count = 1
        for dim in self.dims:
            count *= dim
        return count * np.dtype(self.dtype).itemsize

    @property
    def payload_bytes(self) -> int:
        """Bytes of the samples alone."""
        return self.sample_bytes * self.num_samples


_HDF5, _PARQUET = Hdf5Options(), ParquetOptions()


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the workload says of a format, beside the records; picklable and hashable."""

    compression: str = "none"
    """A value of config's Compression."""
    compression_level: int = 4
    hdf5: Hdf5Options = _HDF5
    parquet: ParquetOptions = _PARQUET
    element_type: str = ""
    """NumPy's name of what the samples consist of, where the workload says it; for formats that do not tell."""
    decode: bool = True
    """False: a sample's bytes are passed on as they are stored."""
    most_unpacked: int = 0
    """Bytes that a file has at most when it is unpacked; for formats that ask (``Format.most_unpacked``)."""


DEFAULTS = FormatOptions()


class ArraySpec(NamedTuple):
    """Where one array lies in a sample's bytes."""

    name: str
    dtype: str
    """NumPy's typestr, such as ``|u1`` or ``<i8``."""
    shape: tuple[int, ...]
    offset: int
    """From the sample's first byte: of a format that is read whole, the file's."""
    fortran_order: bool = False


Layout = tuple[ArraySpec, ...]
"""The arrays of a sample, in the file's order."""


class SparseFile(NamedTuple):
    """A valid file whose payload is zeros: everything that is not zero, and the size."""

    size: int
    pieces: Sequence[Piece]
    """In ascending order, not overlapping; may be computed as it is indexed (spans.RepeatedPieces)."""


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


class Reading(Enum):
    """How a format's files are read."""

    WHOLE = "whole"
    """The file is read as it is, and its arrays are views of it: ``decode`` and ``stream``."""
    SPANS = "spans"
    """Samples are found through an index and read straight into a batch: ``index``, ``locate``, ``decode_group``."""
    UNPACKED = "unpacked"
    """As SPANS, but into a buffer, from which ``decode_group`` unpacks them into the batch."""


class Companion(Protocol):
    """An object that stands beside each of a format's files, such as an index. Must be picklable."""

    def key(self, main: str) -> str | None:
        """Its key, from the file's; None where a file of that name has none."""
        ...

    def main(self, key: str) -> str | None:
        """The key of the file that an object accompanies; None where ``key`` is no such companion."""
        ...


class Format:
    """One file format; a subclass overrides what its way of reading needs. Stateless but for caches; used by one
    thread at a time."""

    name: str
    suffix: str
    """Without the dot."""
    compressions: ClassVar[frozenset[str]] = frozenset({"none"})
    """Values of ``dataset.compression`` that the format knows."""
    packs: ClassVar[frozenset[str]] = frozenset()
    """Further ones, which pack each file as a whole: see packed.py."""
    other_suffixes: tuple[str, ...] = ()
    """Of files that are read but not written."""
    usual: ClassVar[frozenset[str]] = frozenset()
    """Names in ``report`` that are no cause for a warning."""
    head_bytes: int = 0
    """So many of a file's first bytes mostly tell what its sample takes decoded (``decoded_bytes``); 0: they do not."""
    companions: tuple[Companion, ...] = ()
    any_name: bool = False
    """Whether files of any name are of this format where a user says so."""
    stored: ClassVar[bool] = True
    """False: there are no files, and samples come from memory."""
    indexed_by_size: ClassVar[bool] = False
    """Whether ``index_of`` tells where samples lie, so that ``index`` is not asked."""
    streams: ClassVar[bool] = True
    """Whether a file that is read whole can pass by in windows. Otherwise large ones of which a crop is delivered are
    read as by Reading.SPANS."""

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        """Raises ConfigError for an option that the format cannot follow."""
        self.options = options
        if options.compression not in self.compressions:
            known = ", ".join(sorted(self.compressions | self.packs))
            message = f"the {self.name} format knows no compression {options.compression!r}; expected one of {known}"
            raise ConfigError([Problem("dataset.compression", message)])

    def expect(self, expectation: "Expectation") -> None:
        """What the workload says of every file, for formats that hold files against it themselves: from now on they
        raise DataError for others. Files that are read whole are held against it from outside (expectation.py)."""

    @property
    def libraries(self) -> str:
        """What the bytes that ``encode`` makes depend on beside the records: libraries with their versions; empty where
        on none."""
        how = self.options.compression
        if how in ("gzip", "zlib", "zip"):
            return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
        return "" if how == "none" else f"the installed library that packs {how}"

    # Writing

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """The file's bytes, never all in memory at once. A piece's memory may be reused after the next is asked for."""
        raise NotImplementedError

    def encode_companion(self, spec: RecordSpec, number: int) -> Iterator[Piece]:
        """The bytes of the companion of that number, which follow from the records alone. Asked for when the file's
        own bytes are written and before it gets its name."""
        raise NotImplementedError

    def file_size(self, spec: RecordSpec) -> int | None:
        """Bytes of the file that ``encode`` makes, computed, not tried; None where only encoding can tell."""
        raise NotImplementedError

    def max_file_size(self, spec: RecordSpec) -> int:
        """An upper bound of that."""
        size = self.file_size(spec)
        return spec.payload_bytes * 2 + (1 << 20) if size is None else size

    def sparse(self, spec: RecordSpec) -> SparseFile | None:
        """A file of the same size that is as much work to read, with a payload of zeros, or of whatever its format can
        be made up of; None where there is no such file."""
        return None

    def sparse_companion(self, spec: RecordSpec, number: int) -> SparseFile | None:
        """A companion of that file."""
        pieces = tuple(Piece(offset, bytes(data)) for offset, data in self.encode_companion(spec, number))
        return SparseFile(max((offset + len(data) for offset, data in pieces), default=0), pieces)

    # Reading

    def reading(self, samples_per_file: int) -> Reading:
        """How files of so many samples are read."""
        return Reading.WHOLE

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """An upper bound, on average over a batch, of what one sample takes in a batch: as it lies in the file for
        SPANS, unpacked for UNPACKED. ``record`` is None where only the largest file's size is known."""
        if record is None:
            return -(-file_bytes // samples_per_file) + 1024
        return record.sample_bytes + 1024

    def read_size(self, spec: RecordSpec) -> int:
        """Bytes of the longest file of these records that another program may have written; for UNPACKED."""
        return self.max_file_size(spec)

    def most_unpacked(self, record: RecordSpec | None, sample_bytes: int, samples_per_file: int) -> int:
        """Bytes of the longest file when it is unpacked, for formats that unpack files whole; else 0. ``record`` as of
        ``sample_bytes``, which told ``sample_bytes`` where the user did not."""
        return 0

    def decoded_bytes(self, head: memoryview) -> int | None:
        """What a file's sample takes in a batch, as its first bytes (``head_bytes`` or more) say; None where it takes
        more of them. For UNPACKED, where no workload says what files hold. Raises FormatError."""
        raise NotImplementedError

    def spans_per_sample(self) -> int:
        """The most spans that a sample consists of."""
        return 1

    def batch_bytes(
        self, batch_size: int, record: RecordSpec | None, samples_per_file: int, limit: int, alignment: int
    ) -> int | None:
        """Room for a batch whose samples share spans, each widened to the alignment and at a multiple of 64, groups
        being of at most ``limit`` bytes; None where ``sample_bytes`` and ``spans_per_sample`` tell. For SPANS."""
        return None

    def shuffle_unit(self, samples_per_file: int) -> int:
        """Samples that lie together, so that a shuffle should leave them together; divides the samples of a file."""
        return 1

    def report(self) -> Mapping[str, int]:
        """What a user should know about how files were decoded, such as ``{"data sets read by h5py": 12}``."""
        return {}

    # Reading.WHOLE

    def decode(self, data: memoryview) -> Layout:
        """The layout of a whole file, checked: structure, sizes, checksums. Raises FormatError saying what is wrong.
        Hot: called for every file read; a layout may be shared between calls."""
        raise NotImplementedError

    def stream(self) -> StreamDecoder:
        """For files larger than a reader's window."""
        raise NotImplementedError

    # Reading.SPANS and Reading.UNPACKED

    def index(self, key: str, samples_per_file: int) -> "Indexing":
        """Find out where a file's samples lie: a generator that yields the bytes it must see, many at a time where it
        can, is sent them in the same order, and returns the index. Raises FormatError. See spans.Need."""
        raise NotImplementedError

    def index_of(self, file_bytes: int, samples_per_file: int) -> FileIndex:
        """The index of a file of this size, where nothing else must be known of it. Raises FormatError."""
        raise NotImplementedError

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """What to read for these samples of one file, which ascend: groups of at most ``limit`` bytes (or one sample).
        See spans.coalesce."""
        raise NotImplementedError

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """Check and decode what was read; one Placed a sample, in the group's order. Hot.

        SPANS: ``into`` is ``landed.data``; the arrays are views of it. Its bytes may be overwritten, so that a number
        that was packed can stand unpacked where other bytes of its sample were.
        UNPACKED: the arrays are written to ``into``, which is as long as there is room; raise DataError where that is
        not enough (spans.too_large), before more than so much was made.
        """
        raise NotImplementedError


Indexing = Generator[Sequence[Need], Sequence["memoryview | None"], FileIndex]
"""What ``Format.index`` returns."""


def view(data: memoryview, array: ArraySpec) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """The array in a file's bytes, as a view."""
    dtype = np.dtype(array.dtype)
    return np.ndarray(array.shape, dtype, data, array.offset, order="F" if array.fortran_order else "C")


def views(
    data: memoryview, layout: Sequence[ArraySpec]
) -> "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]":
    """All arrays of a file by name."""
    return {array.name: view(data, array) for array in layout}
