# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""NPZ whose members are deflated, as ``numpy.savez_compressed`` writes them: ``dataset.compression: zip``.

A file is read whole into a buffer and its members are unpacked into the batch. Python's zipfile reads the archive and
checks the members' CRCs; nothing is unpacked for which there is no room.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from dl_driver.errors import FormatError
from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    RecordSpec,
)
from dl_driver.formats.expectation import SAMPLES_ARRAY, Expectation, check_layout
from dl_driver.formats.inflate import DAMAGED_ZIP, USUAL_RATIO, most_deflated, zipped
from dl_driver.formats.npy_header import build_npy_header, interpret_npy_header
from dl_driver.formats.npz import Npz
from dl_driver.formats.placing import aligned, place_arrays
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, too_large
from dl_driver.formats.unpacked_whole import UnpackedWhole
from dl_driver.storage.base import Piece

_Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

_CHUNK = 1 << 18
_CONTAINER_BYTES = 1024
"""Room for headers and records of an archive of two members."""


def npz(options: FormatOptions = DEFAULTS) -> Format:
    """The NPZ format of these options."""
    return DeflatedNpz(options) if options.compression == "zip" else Npz(options)


class DeflatedNpz(UnpackedWhole):
    """See Format."""

    name = "npz"
    suffix = "npz"
    compressions = frozenset({"zip"})

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._expectation: Expectation | None = None

    def expect(self, expectation: Expectation) -> None:
        """See Format."""
        self._expectation = expectation

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        members = (("x.npy", _samples(spec, fill)), ("y.npy", _labels(spec)))
        return zipped(members, self.options.compression_level)

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return None

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return most_deflated(spec.payload_bytes + 8 * spec.num_samples) + _CONTAINER_BYTES

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if record is None:
            return USUAL_RATIO * -(-file_bytes // samples_per_file) + _CONTAINER_BYTES
        return record.sample_bytes + _CONTAINER_BYTES

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        try:
            with zipfile.ZipFile(io.BytesIO(landed.span())) as archive:
                arrays = self._arrays(archive, index.num_samples, len(into) * index.num_samples)
        except DAMAGED_ZIP as error:
            raise FormatError(f"no sound NPZ file: {error}") from error
        placed, at = [], 0
        for sample in group.samples:
            placed.append(place_arrays(arrays, sample, index.num_samples, at, into))
            at = aligned(at + placed[-1].length)
        return placed

    def _arrays(self, archive: zipfile.ZipFile, samples: int, room: int) -> dict[str, _Array]:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        if size > room + len(members) * _CONTAINER_BYTES:
            raise too_large(size // samples, room // samples)
        arrays = {
            member.filename.removesuffix(".npy"): _array(archive.read(member), member.filename) for member in members
        }
        if not arrays:
            raise FormatError("the NPZ file holds no arrays")
        if self._expectation is not None:
            layout = tuple(ArraySpec(name, array.dtype.str, array.shape, 0) for name, array in arrays.items())
            check_layout(layout, SAMPLES_ARRAY, self._expectation)
        return arrays


def _samples(spec: RecordSpec, fill: ContentReader) -> Iterator[bytes | memoryview]:
    yield build_npy_header(np.dtype(spec.dtype).str, (*spec.dims, spec.num_samples))
    buffer = memoryview(bytearray(min(_CHUNK, spec.payload_bytes)))
    for start in range(0, spec.payload_bytes, _CHUNK):
        part = buffer[: spec.payload_bytes - start]
        fill(start, part)
        yield part


def _labels(spec: RecordSpec) -> Iterator[bytes]:
    yield build_npy_header("<i8", (spec.num_samples,))
    yield bytes(8 * spec.num_samples)


def _array(data: bytes, what: str) -> _Array:
    """The array of an NPY file in memory."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise FormatError(f"{what}: no NPY data")
    width = 2 if data[6] == 1 else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    dtype, fortran_order, shape = interpret_npy_header(data[8 + width : start].decode("latin-1"), what)
    size = prod(shape) * np.dtype(dtype).itemsize
    if len(data) - start != size:
        raise FormatError(f"{what}: {len(data) - start} bytes of data, its NPY header says {size}")
    return np.ndarray(shape, dtype, data, start, order="F" if fortran_order else "C")
