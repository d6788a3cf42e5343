# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""NPZ: a ZIP archive of NPY files, stored. Written as ``numpy.savez(x=samples, y=zeros)`` writes it, to the byte."""

from collections.abc import Iterator

import numpy as np

from dl_driver.errors import FormatError
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
from dl_driver.formats.checksum import crc32, crc32_of_zeros
from dl_driver.formats.npy_header import build_npy_header, interpret_npy_header
from dl_driver.formats.npz_structure import NpzStructure
from dl_driver.formats.npz_template import Template
from dl_driver.formats.walk import Walker
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.formats.zip_records import LOCAL_CRC_AT, Member, closing_records, local_header
from dl_driver.storage.base import Piece

_SAMPLES, _LABELS = b"x.npy", b"y.npy"
_LABEL_BYTES = 8
_SAMPLES_HEADER_AT = len(local_header(_SAMPLES, 0, 0))
_MAX_TEMPLATES = 256


class Npz(Format):
    """See Format."""

    name = "npz"
    suffix = "npz"
    compressions = frozenset({"none", "zip"})
    """Of "zip", see npz_deflated.py."""

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._templates: dict[int, Template] = {}
        """The structure last seen of each file length."""
        self._last_length = -1

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format. The samples' CRC, which is known last, goes into the header last."""
        header, labels_header = _headers(spec)
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        yield from writer.text(local_header(_SAMPLES, len(header) + spec.payload_bytes, 0) + header)
        crc = yield from writer.content(fill, spec.payload_bytes, crc32(header))
        labels = _labels_member(spec, writer.position)
        yield from writer.text(local_header(_LABELS, labels.size, labels.crc) + labels_header)
        yield from writer.zeros(_LABEL_BYTES * spec.num_samples)
        samples = Member(_SAMPLES, 0, 0, len(header) + spec.payload_bytes, crc)
        yield from writer.text(closing_records((samples, labels), writer.position))
        writer.patch(LOCAL_CRC_AT, crc.to_bytes(4, "little"))
        yield from writer.finish()
        self._spare.give_back(buffer)

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return self.sparse(spec).size

    def sparse(self, spec: RecordSpec) -> SparseFile:
        """See Format."""
        return _around_samples(spec, crc32_of_zeros(spec.payload_bytes, crc32(_headers(spec)[0])))

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        template = self._templates.get(len(data))
        if template is not None and template.matches(data):
            return template.layout
        if len(data) != self._last_length:
            self._last_length = len(data)
            layout = _decode_as_encoded(data)
            if layout is not None:
                return layout
        structure = NpzStructure()
        walker = Walker(structure)
        walker.feed(data)
        layout = walker.finish()
        # A length that comes twice running is that of most files: worth a template, which is compared faster still.
        if structure.is_in_order:
            self._remember(Template(data, structure), len(data))
        return layout

    def stream(self) -> Walker:
        """See Format."""
        return Walker(NpzStructure())

    def _remember(self, template: Template, length: int) -> None:
        if len(self._templates) >= _MAX_TEMPLATES:
            self._templates.clear()
        self._templates[length] = template


def _headers(spec: RecordSpec) -> tuple[bytes, bytes]:
    """The NPY headers of samples and labels."""
    return (
        build_npy_header(np.dtype(spec.dtype).str, (*spec.dims, spec.num_samples)),
        build_npy_header("<i8", (spec.num_samples,)),
    )


def _labels_member(spec: RecordSpec, offset: int) -> Member:
    header = _headers(spec)[1]
    crc = crc32_of_zeros(_LABEL_BYTES * spec.num_samples, crc32(header))
    return Member(_LABELS, 0, offset, len(header) + _LABEL_BYTES * spec.num_samples, crc)


def _around_samples(spec: RecordSpec, crc: int) -> SparseFile:
    """The file but for its samples, whose member has this CRC."""
    header, labels_header = _headers(spec)
    samples = Member(_SAMPLES, 0, 0, len(header) + spec.payload_bytes, crc)
    start = local_header(_SAMPLES, samples.size, crc) + header
    labels = _labels_member(spec, len(start) + spec.payload_bytes)
    middle = local_header(_LABELS, labels.size, labels.crc) + labels_header
    end_at = labels.offset + len(middle) + _LABEL_BYTES * spec.num_samples
    end = closing_records((samples, labels), end_at)
    return SparseFile(end_at + len(end), (Piece(0, start), Piece(labels.offset, middle), Piece(end_at, end)))


def _decode_as_encoded(data: memoryview) -> Layout | None:
    """The layout of a file that is, byte for byte, what ``encode`` (or ``numpy.savez`` of the same arrays) writes for
    its samples; None for any other, sound or not. For data sets in which each file has a shape of its own."""
    spec = _spec_at(data, _SAMPLES_HEADER_AT)
    if spec is None:
        return None
    header = _headers(spec)[0]
    start = _SAMPLES_HEADER_AT + len(header)
    end = start + spec.payload_bytes
    if end > len(data) or data[_SAMPLES_HEADER_AT:start] != header:
        return None
    expected = _around_samples(spec, crc32(data[start:end], crc32(header)))
    if expected.size != len(data) or any(data[at : at + len(piece)] != piece for at, piece in expected.pieces):
        return None
    _, middle, closing = expected.pieces
    labels_at = middle.offset + len(middle.data)
    if data[labels_at : closing.offset] != bytes(closing.offset - labels_at):
        return None
    return (
        ArraySpec("x", np.dtype(spec.dtype).str, (*spec.dims, spec.num_samples), start),
        ArraySpec("y", "<i8", (spec.num_samples,), labels_at),
    )


def _spec_at(data: memoryview, at: int) -> RecordSpec | None:
    """What an NPY header of version 1 at this place tells, if there is one."""
    if bytes(data[at : at + 8]) != b"\x93NUMPY\x01\x00" or len(data) < at + 10:
        return None
    length = int.from_bytes(data[at + 8 : at + 10], "little")
    try:
        dtype, fortran_order, shape = interpret_npy_header(
            bytes(data[at + 10 : at + 10 + length]).decode("latin-1"), ""
        )
    except FormatError:
        return None
    return None if fortran_order or not shape else RecordSpec(shape[:-1], dtype, shape[-1])
