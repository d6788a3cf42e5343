# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chunks of a PNG file (ISO/IEC 15948): their order, and every one's CRC, so that a changed bit is found."""

import struct

from dl_driver.errors import FormatError
from dl_driver.formats.checksum import crc32
from dl_driver.formats.image_header import ImageHeader, ImageKind

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = len(SIGNATURE) + 25
_MOST = (1 << 31) - 1
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""As delivered, by colour type."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_png_header(data: memoryview) -> ImageHeader | None:
    """The header, from the beginning of a file; None where that is too short. Raises FormatError."""
    if len(data) < _HEADER_BYTES:
        return None
    if data[: len(SIGNATURE)] != SIGNATURE:
        raise FormatError(f"begins with {bytes(data[:8]).hex(' ')}, which is no PNG file (expected 89 50 4e 47 ...)")
    if bytes(data[8:16]) != b"\0\0\0\x0dIHDR":
        raise FormatError("its first PNG chunk is not IHDR")
    _check_crc(data, 8, 13)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    if not (0 < width <= _MOST and 0 < height <= _MOST):
        raise FormatError(f"a PNG of {height} x {width} pixels")
    if depth not in _DEPTHS.get(colour, ()):
        raise FormatError(f"a PNG of colour type {colour} with {depth} bits, which do not go together")
    if compression or filtering or interlace > 1:
        raise FormatError(f"a PNG of compression {compression}, filter {filtering}, interlace {interlace}")
    dtype = "<u2" if depth == 16 else "|u1"
    return ImageHeader(ImageKind.PNG, height, width, _CHANNELS[colour], dtype, colour == 3)


def check_png(data: memoryview) -> ImageHeader:
    """The header of a whole file, all of whose chunks are right. Raises FormatError."""
    header = read_png_header(data)
    if header is None:
        raise FormatError(f"the file ends at byte {len(data)}, within the PNG header; it was cut")
    at, end, kinds = _HEADER_BYTES, len(data), [b"IHDR"]
    while kinds[-1] != b"IEND":
        if at + 12 > end:
            raise FormatError(f"the file ends at byte {end} without the PNG's last chunk (IEND); it was cut")
        length, kind = int.from_bytes(data[at : at + 4]), bytes(data[at + 4 : at + 8])
        if at + 12 + length > end:
            raise FormatError(f"the file ends at byte {end}, within the {_name(kind)} chunk that begins at {at}")
        _check_crc(data, at, length)
        if kind != kinds[-1]:
            _check_order(kind, kinds, header.indexed)
            kinds.append(kind)
        at += 12 + length
    return header


def _check_crc(data: memoryview, at: int, length: int) -> None:
    found, stored = crc32(data[at + 4 : at + 8 + length]), int.from_bytes(data[at + 8 + length : at + 12 + length])
    if found != stored:
        kind = _name(bytes(data[at + 4 : at + 8]))
        raise FormatError(f"the {kind} chunk at byte {at} has the CRC {found:08x}, {stored:08x} is stored with it")


def _check_order(kind: bytes, before: list[bytes], indexed: bool) -> None:
    """Chunks of pixels must follow one another, and the palette must come before them."""
    if kind == b"IHDR" or (kind == b"IDAT" and b"IDAT" in before):
        raise FormatError(f"the {_name(kind)} chunk of the PNG comes again after {_name(before[-1])}")
    if kind == b"IDAT" and indexed and b"PLTE" not in before:
        raise FormatError("a PNG with a palette that has none (PLTE) before its pixels")
    if kind == b"IEND" and b"IDAT" not in before:
        raise FormatError("a PNG without pixels (IDAT)")


def _name(kind: bytes) -> str:
    return kind.decode("latin-1") if kind.isalpha() else kind.hex(" ")
