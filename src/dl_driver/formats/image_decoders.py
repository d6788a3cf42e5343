# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pixels from files, by libraries that load when the first image is decoded: simplejpeg for JPEG, Pillow for what that
cannot (CMYK), pyspng for PNG."""

import io
import warnings
from importlib.util import find_spec

import numpy as np

from dl_driver.errors import ConfigError, FormatError, Problem
from dl_driver.formats.image_header import ImageHeader, ImageKind

INSTALL = "pip install 'dl-driver[images]'"
LIBRARIES = {ImageKind.JPEG: ("simplejpeg", "PIL"), ImageKind.PNG: ("pyspng",)}


def check_libraries(name: str) -> None:
    """Raises ConfigError where one that decodes images is not installed."""
    missing = [library for libraries in LIBRARIES.values() for library in libraries if find_spec(library) is None]
    if missing:
        message = f"decoding {name} files needs {', '.join(missing)}, not installed here: {INSTALL}"
        raise ConfigError([Problem("dataset.format", f"{message} (or set reader.decode=none)")])


def decode_image(data: memoryview, header: ImageHeader, into: memoryview) -> str:
    """Write the pixels to ``into``, which is as long as ``header.nbytes``; the library's name. Raises FormatError."""
    if header.kind is ImageKind.PNG:
        _decode_png(data, header, into)
        return "pyspng"
    if header.channels == 4:
        _decode_cmyk(data, header, into)
        return "Pillow"
    _decode_jpeg(data, header, into)
    return "simplejpeg"


def _decode_jpeg(data: memoryview, header: ImageHeader, into: memoryview) -> None:
    from simplejpeg import decode_jpeg

    try:
        decode_jpeg(data, "GRAY" if header.channels == 1 else "RGB", buffer=into)
    except ValueError as error:
        raise FormatError(f"simplejpeg cannot decode it: {error}") from error


def _decode_cmyk(data: memoryview, header: ImageHeader, into: memoryview) -> None:
    from PIL import Image

    try:
        # Pillow warns of what else the file holds, such as EXIF, which has no part in its pixels.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            _copy(np.asarray(image), header, into)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError(f"Pillow cannot decode it: {error}") from error


def _decode_png(data: memoryview, header: ImageHeader, into: memoryview) -> None:
    """pyspng makes RGBA of grey with alpha, and of 16 bits whatever they are."""
    from pyspng import c as spng

    formats = spng.spng_format
    if header.dtype != "|u1":
        wanted = formats.SPNG_FMT_RGBA16
    elif header.channels == 2:
        wanted = formats.SPNG_FMT_RGBA8
    else:
        wanted = formats.SPNG_FMT_AUTO
    try:
        pixels = spng.spng_decode_image_bytes(bytes(data), wanted)
    except RuntimeError as error:
        raise FormatError(f"pyspng cannot decode it: {str(error).removeprefix('pyspng: ')}") from error
    chosen = {1: 0, 2: slice(0, 4, 3), 3: slice(0, 3), 4: slice(0, 4)}[header.channels]
    _copy(pixels.reshape(header.height, header.width, -1)[..., chosen], header, into)


def _copy(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", header: ImageHeader, into: memoryview) -> None:
    if pixels.shape != header.shape or pixels.dtype.itemsize != np.dtype(header.dtype).itemsize:
        raise FormatError(f"decoded to {pixels.dtype.name} {pixels.shape}, its header says {header.shape}")
    np.copyto(np.frombuffer(into, header.dtype).reshape(header.shape), pixels)
