# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One image a file, whatever its kind: how JPEG and PNG are read, and what a workload can say of them.

A file is read whole into a reader's buffer, looked through, and decoded straight into its batch. What a file is, its
first bytes say: a PNG among JPEG files is read, as dlio_benchmark and Pillow do.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from dl_driver.errors import ConfigError, FormatError, Problem
from dl_driver.formats.base import DEFAULTS, ArraySpec, Format, FormatOptions, Indexing, Layout, Reading, RecordSpec
from dl_driver.formats.image_decoders import check_libraries, decode_image
from dl_driver.formats.image_header import ImageHeader
from dl_driver.formats.jpeg_header import SIGNATURE as JPEG_SIGNATURE
from dl_driver.formats.jpeg_header import check_jpeg, read_jpeg_header
from dl_driver.formats.png_header import SIGNATURE as PNG_SIGNATURE
from dl_driver.formats.png_header import check_png, read_png_header
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, WholeFile, too_large

ARRAY_NAME = "x"
_DIMENSIONS = 2
_MAX_LAYOUTS = 1 << 12
_INDEX = WholeFile(1, nbytes=256)
"""All files'; a place in a worker's table of indexes takes about so much."""
_HEAD_BYTES = 1 << 16
_GUESSED_RATIO = 24
"""Pixels to a byte of a file, where nothing else is known: colours at the strongest usual compression."""


class ImageFile(Format):
    """See Format; a subclass adds the writing."""

    streams = False
    usual: ClassVar[frozenset[str]] = frozenset({"images decoded by simplejpeg", "images decoded by pyspng"})
    max_side: ClassVar[int]
    """What decoders of the kind take."""

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self.head_bytes = _HEAD_BYTES if options.decode else 0
        self._decoded: Counter[str] = Counter()
        self._layouts: dict[tuple[str, tuple[int, ...]], Layout] = {}

    # What a workload can say

    def check(self, spec: RecordSpec) -> None:
        """Raises ConfigError for records that are no image of this kind."""
        dims = len(spec.dims)
        if dims > _DIMENSIONS:
            message = f"{self.name} format does not support more than 2 dimensions, but got {dims} dimensions."
            raise ConfigError([Problem("dataset.record_dims", message)])
        if dims < _DIMENSIONS:
            message = f"an image has 2 dimensions, rows and columns, but got {list(spec.dims)}; [1, N] is one row"
            raise ConfigError([Problem("dataset.record_dims", message)])
        if spec.dtype != "uint8":
            message = f"the {self.name} format holds uint8, but got {spec.dtype}"
            raise ConfigError([Problem("dataset.record_element_type", message)])
        if max(spec.dims) > self.max_side:
            key = "dataset.record_length_bytes (or record_dims)"
            message = (
                f"an image of {spec.dims[0]} x {spec.dims[1]} pixels; {self.name} has at most {self.max_side} a side"
            )
            raise ConfigError([Problem(key, message)])
        self._check_one_sample(spec.num_samples)

    def _check_one_sample(self, samples_per_file: int) -> None:
        if samples_per_file != 1:
            message = (
                f"a {self.name} file is one image, but got {samples_per_file} samples a file; set it to 1 and"
                " num_files_train to the number of samples"
            )
            raise ConfigError([Problem("dataset.num_samples_per_file", message)])

    @abstractmethod
    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""

    # Reading

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        self._check_one_sample(samples_per_file)
        if not self.options.decode:
            return Reading.WHOLE
        check_libraries(self.name)
        return Reading.UNPACKED

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if not self.options.decode:
            return file_bytes
        return _GUESSED_RATIO * file_bytes + 1024 if record is None else record.sample_bytes

    def read_size(self, spec: RecordSpec) -> int:
        """See Format: other writers' files of the same pixels, noise at any quality among them."""
        return 2 * self.file_size(spec) + (1 << 16)

    def decoded_bytes(self, head: memoryview) -> int | None:
        """See Format."""
        header = read_image_header(head)
        return None if header is None else header.nbytes

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return {f"images decoded by {library}": count for library, count in self._decoded.items()}

    def decode(self, data: memoryview) -> Layout:
        """See Format: of files that are passed on as they are."""
        check_image(data)
        return self._layout("|u1", (len(data),))

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        yield from ()
        return _INDEX

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        return _INDEX.group(samples)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        data = landed.span()
        if not self.options.decode:
            return (Placed(landed.starts[0], len(data), self.decode(data)),)
        header = check_image(data)
        size = header.nbytes
        if size > len(into):
            raise too_large(size, len(into))
        self._decoded[decode_image(data, header, into[:size])] += 1
        return (Placed(0, size, self._layout(header.dtype, header.shape)),)

    def _layout(self, dtype: str, shape: tuple[int, ...]) -> Layout:
        """One object for all samples that are alike."""
        layout = self._layouts.get((dtype, shape))
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[dtype, shape] = (ArraySpec(ARRAY_NAME, dtype, shape, 0),)
        return layout


def read_image_header(head: memoryview) -> ImageHeader | None:
    """The header, from the beginning of a file of either kind; None where it lies further on. Raises FormatError."""
    return read_png_header(head) if _is_png(head) else read_jpeg_header(head)


def check_image(data: memoryview) -> ImageHeader:
    """The header of a whole file of either kind, its structure checked. Raises FormatError."""
    if not len(data):
        raise FormatError("the file is empty; expected an image")
    if _is_png(data):
        return check_png(data)
    if data[: len(JPEG_SIGNATURE)] != JPEG_SIGNATURE[: len(data)]:
        raise FormatError(f"begins with {bytes(data[:8]).hex(' ')}, which is neither a JPEG file nor a PNG file")
    return check_jpeg(data)


def _is_png(data: memoryview) -> bool:
    return data[: len(PNG_SIGNATURE)] == PNG_SIGNATURE
