# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsers of image headers, given anything: an image or a FormatError, and as much as Pillow sees in it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dl_driver.errors import FormatError
from dl_driver.formats.images import check_image, read_image_header


def saved(mode: str, kind: str, **options: object) -> bytes:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8))
    image = noise.quantize(7) if mode == "P" else noise.convert(mode)
    into = io.BytesIO()
    image.save(into, kind, **options)  # type: ignore[arg-type]
    return into.getvalue()


FILES = [
    *(saved(mode, "JPEG", progressive=progressive) for mode in ("L", "RGB", "CMYK") for progressive in (False, True)),
    saved("RGB", "JPEG", icc_profile=bytes(300), comment=b"a comment"),
    *(saved(mode, "PNG") for mode in ("1", "L", "LA", "RGB", "RGBA", "I;16", "P")),
]


def image_or_format_error(data: bytes) -> None:
    """What the whole file is taken for, its beginning is taken for."""
    try:
        whole = check_image(memoryview(data))
    except FormatError:
        return
    assert read_image_header(memoryview(data)) == whole
    assert whole.nbytes > 0


@given(
    st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), max_size=4), st.integers(0)
)
@settings(max_examples=500, deadline=None)
def test_damaged_files_are_images_or_format_errors(data: bytes, changes: list[tuple[int, bytes]], length: int) -> None:
    damaged = bytearray(data)
    for at, change in changes:
        damaged[at : at + len(change)] = change
    image_or_format_error(bytes(damaged))
    image_or_format_error(bytes(damaged[:length]))


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_images_or_format_errors(start: bytes, rest: bytes) -> None:
    image_or_format_error(start + rest)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_headers_say_what_pillow_sees(number: int) -> None:
    data = FILES[number]
    with Image.open(io.BytesIO(data)) as image:
        header = check_image(memoryview(data))
        assert (header.width, header.height) == image.size
        assert header.channels == (3 if image.mode == "P" else len(image.getbands()))
    assert read_image_header(memoryview(data)) == header


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_beginning_says_nothing_or_the_same(number: int) -> None:
    data = FILES[number]
    whole = check_image(memoryview(data))
    for length in range(8, len(data)):
        assert read_image_header(memoryview(data[:length])) in (None, whole)
