# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsers of image headers, given anything: an image or a FormatError, and as much as Pillow sees in it."""

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dl_driver.errors import FormatError
from dl_driver.formats.images import check_image, read_image_header


def _tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "fuzz_image_header.py"
    spec = importlib.util.spec_from_file_location("fuzz_image_header", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_image_header"] = module
    spec.loader.exec_module(module)
    return module


FUZZ = _tool()
SEEDS: list[bytes] = FUZZ.seeds()


@given(st.randoms(use_true_random=False))
@settings(max_examples=500, deadline=None)
def test_damaged_files_are_images_or_format_errors(random: object) -> None:
    FUZZ.fuzz_image_header(FUZZ.damaged(SEEDS, random))


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_images_or_format_errors(start: bytes, rest: bytes) -> None:
    FUZZ.fuzz_image_header(start + rest)


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_headers_say_what_pillow_sees(number: int) -> None:
    data = SEEDS[number]
    with Image.open(io.BytesIO(data)) as image:
        header = check_image(memoryview(data))
        assert (header.width, header.height) == image.size
        assert header.channels == (3 if image.mode == "P" else len(image.getbands()))
    assert read_image_header(memoryview(data)) == header


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_a_beginning_says_nothing_or_the_same(number: int) -> None:
    data = SEEDS[number]
    whole = check_image(memoryview(data))
    for length in range(3, len(data)):
        try:
            assert read_image_header(memoryview(data[:length])) in (None, whole)
        except FormatError:
            assert length < 8, "only of less than a signature's length"
