# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""NPZ: a ZIP archive of NPY files, stored. Written as ``numpy.savez(x=samples, y=zeros)`` writes it, to the byte."""

from collections.abc import Iterator

import numpy as np

from dl_driver.formats.base import DEFAULTS, ContentReader, Format, FormatOptions, Layout, RecordSpec, SparseFile
from dl_driver.formats.checksum import crc32, crc32_of_zeros
from dl_driver.formats.npy_header import build_npy_header
from dl_driver.formats.npz_structure import NpzStructure
from dl_driver.formats.npz_template import Template
from dl_driver.formats.walk import Walker
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.formats.zip_records import LOCAL_CRC_AT, Member, closing_records, local_header
from dl_driver.storage.base import Piece

_SAMPLES, _LABELS = b"x.npy", b"y.npy"
_LABEL_BYTES = 8
_MAX_TEMPLATES = 256


class Npz(Format):
    """See Format."""

    name = "npz"
    suffix = "npz"

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._spare = SpareBuffer()
        self._templates: dict[int, Template] = {}
        """The structure last seen of each file length."""

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
        header, labels_header = _headers(spec)
        crc = crc32_of_zeros(spec.payload_bytes, crc32(header))
        samples = Member(_SAMPLES, 0, 0, len(header) + spec.payload_bytes, crc)
        start = local_header(_SAMPLES, samples.size, crc) + header
        labels = _labels_member(spec, len(start) + spec.payload_bytes)
        middle = local_header(_LABELS, labels.size, labels.crc) + labels_header
        end_at = labels.offset + len(middle) + _LABEL_BYTES * spec.num_samples
        end = closing_records((samples, labels), end_at)
        return SparseFile(end_at + len(end), (Piece(0, start), Piece(labels.offset, middle), Piece(end_at, end)))

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        template = self._templates.get(len(data))
        if template is not None and template.matches(data):
            return template.layout
        structure = NpzStructure()
        walker = Walker(structure)
        walker.feed(data)
        layout = walker.finish()
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
