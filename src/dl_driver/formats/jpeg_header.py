# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The markers of a JPEG file (ITU-T T.81, annex B) as far as its first scan, and its last one.

What lies between, the entropy-coded pixels, is the decoder's to check: JPEG has no checksum, so a changed bit is found
only where what follows makes no sense.
"""

from collections.abc import Iterator
from typing import NamedTuple

from dl_driver.errors import FormatError
from dl_driver.formats.image_header import ImageHeader, ImageKind

SIGNATURE = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Baseline, extended and progressive frames, coded by Huffman's or by arithmetic codes."""
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
"""Lossless and hierarchical ones."""


class _Segment(NamedTuple):
    """A marker and what belongs to it."""

    marker: int
    at: int
    body: memoryview
    end: int


def read_jpeg_header(data: memoryview) -> ImageHeader | None:
    """The header, from the beginning of a file; None where it lies further on. Raises FormatError."""
    return next((_frame(segment.body) for segment in _segments(data) if segment.marker in _FRAMES), None)


def check_jpeg(data: memoryview) -> ImageHeader:
    """The header of a whole file, which must have a scan and an end. Raises FormatError."""
    header, end = None, len(data)
    for segment in _segments(data):
        if segment.marker in _FRAMES:
            if header is not None:
                raise FormatError(f"a second JPEG frame header at byte {segment.at}")
            header = _frame(segment.body)
        elif segment.marker == _START_OF_SCAN:
            if header is None:
                raise FormatError(f"JPEG scan at byte {segment.at} without a frame header before it")
            # Most files end with their last marker; some cameras put something behind it.
            if data[-2:] != _END and bytes(data[segment.end :]).rfind(_END) < 0:
                raise FormatError(f"the file ends at byte {end} without the JPEG's end marker; it was cut")
            return header
    raise FormatError(f"the file ends at byte {end}, before the JPEG's first scan; it was cut")


def _segments(data: memoryview) -> Iterator[_Segment]:
    """Those up to the first scan's header, as far as the data go. Raises FormatError."""
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise FormatError(f"begins with {bytes(data[:4]).hex(' ')}, which is no JPEG file (expected ff d8 ff)")
    found = _marker(data, 2)
    while found is not None:
        marker, at = found
        if marker in _ALONE:
            found = _marker(data, at)
            continue
        length = int.from_bytes(data[at : at + 2])
        if at + max(2, length) > len(data):
            return
        if length < 2:
            raise FormatError(f"JPEG segment ff {marker:02x} at byte {at - 2} has the length {length}")
        yield _Segment(marker, at - 2, data[at + 2 : at + length], at + length)
        if marker == _START_OF_SCAN:
            return
        found = _marker(data, at + length)


def _marker(data: memoryview, at: int) -> tuple[int, int] | None:
    """The marker at a place, any number of 0xff before it, and the place behind it; None where the data end first."""
    start, end = at, len(data)
    while at < end and data[at] == 0xFF:
        at += 1
    if at >= end:
        return None
    marker = data[at]
    if at == start or marker == 0:
        raise FormatError(f"expected a JPEG marker at byte {start}, got {bytes(data[start : start + 2]).hex(' ')}")
    if marker in _OTHER_FRAMES:
        raise FormatError("a lossless or hierarchical JPEG; only baseline, extended and progressive ones are read")
    if marker in (_START_OF_IMAGE, _END_OF_IMAGE):
        raise FormatError(f"JPEG marker ff {marker:02x} at byte {at - 1}, before any scan")
    return marker, at + 1


def _frame(data: memoryview) -> ImageHeader:
    """The contents of a frame header."""
    components = data[5] if len(data) > 5 else 0
    if len(data) < 6 or len(data) != 6 + 3 * components:
        raise FormatError(f"a JPEG frame header of {len(data)} bytes for {components} components")
    precision, height, width = data[0], int.from_bytes(data[1:3]), int.from_bytes(data[3:5])
    if precision != 8:
        raise FormatError(f"a JPEG of {precision} bits a sample; only 8 are read")
    if not (height and width):
        raise FormatError(f"a JPEG of {height} x {width} pixels")
    if components not in (1, 3, 4):
        raise FormatError(f"a JPEG of {components} components; only 1 (grey), 3 (colour) and 4 (CMYK) are read")
    return ImageHeader(ImageKind.JPEG, height, width, components)
