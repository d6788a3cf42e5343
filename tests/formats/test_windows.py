# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows: whatever is laid into them comes out in order, without gaps, and what is long begins a piece."""

import struct
import zlib
from collections.abc import Callable, Generator, Iterator

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from dl_driver.dataset.content import FileContent
from dl_driver.formats import get_format
from dl_driver.formats.base import RecordSpec
from dl_driver.formats.windows import WINDOW_BYTES, WindowWriter
from dl_driver.storage.base import Piece

WINDOW = 16
TEXT = bytes(range(1, 256))


def fill(offset: int, into: memoryview) -> None:
    into[:] = bytes((offset + place) % 251 for place in range(len(into)))


def pieces_of(write: Callable[[WindowWriter], Iterator[Piece]]) -> tuple[list[int], bytes]:
    """Where pieces begin, and the file."""
    starts, data = [], bytearray()
    writer = WindowWriter(memoryview(bytearray(WINDOW)))

    def everything() -> Iterator[Piece]:
        yield from write(writer)
        yield from writer.finish()

    for offset, piece in everything():
        assert offset == len(data)
        starts.append(offset)
        data += piece
    assert writer.position == len(data)
    return starts, bytes(data)


@given(st.lists(st.tuples(st.sampled_from(["text", "zeros", "content", "stretch"]), st.integers(0, 50))))
def test_bytes_in_order(parts: list[tuple[str, int]]) -> None:
    expected = bytearray()

    def write(writer: WindowWriter) -> Generator[Piece, None, None]:
        for kind, count in parts:
            if kind == "text":
                yield from writer.text(TEXT[:count])
                expected.extend(TEXT[:count])
            elif kind == "zeros":
                yield from writer.zeros(count)
                expected.extend(bytes(count))
            elif kind == "content":
                made = bytes((7 + place) % 251 for place in range(count))
                assert (yield from writer.content(fill, count, 5, start=7)) == zlib.crc32(made, 5)
                expected.extend(made)
            else:
                into = yield from writer.stretch(min(count, WINDOW))
                into[:] = TEXT[: min(count, WINDOW)]
                expected.extend(TEXT[: min(count, WINDOW)])

    assert pieces_of(write)[1] == bytes(expected)


def test_content_of_a_window_and_more_begins_a_piece() -> None:
    def write(writer: WindowWriter) -> Iterator[Piece]:
        yield from writer.text(TEXT[:5])
        yield from writer.content(fill, 40)
        yield from writer.content(fill, 15)

    # 5 of text; 16, 16 and the last 8 of the first content, which 8 of the second follow; 7 of the second.
    assert pieces_of(write)[0] == [0, 5, 21, 37, 53]


def test_a_stretch_is_not_divided() -> None:
    def write(writer: WindowWriter) -> Iterator[Piece]:
        for count in (7, 7, 7, 16, 1):
            into = yield from writer.stretch(count)
            into[:] = TEXT[:count]

    assert pieces_of(write)[0] == [0, 14, 21, 37]


def masked(crc: int) -> int:
    """As TensorFlow's documentation of the format has it."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_tfrecords_about_as_long_as_a_window(more: int) -> None:
    content, form = FileContent(1, 2), get_format("tfrecord")
    around = (form.file_size(RecordSpec((WINDOW_BYTES - 64,), "uint8", 1)) or 0) - (WINDOW_BYTES - 64)
    size = WINDOW_BYTES - around + more
    spec = RecordSpec((size,), "uint8", 3)
    assert form.file_size(spec) == 3 * (WINDOW_BYTES + more)
    data = b"".join(bytes(piece.data) for piece in form.encode(spec, content.fill))
    samples = memoryview(bytearray(3 * size))
    content.fill(0, samples)
    for number in range(3):
        frame = data[number * len(data) // 3 : (number + 1) * len(data) // 3]
        length, checksum = struct.unpack_from("<QI", frame)
        assert (length, checksum) == (len(frame) - 16, masked(crc32c(frame[:8])))
        assert struct.unpack_from("<I", frame, len(frame) - 4)[0] == masked(crc32c(frame[12:-4]))
        assert samples[number * size : (number + 1) * size] in (frame[at : at + size] for at in range(12, 12 + around))
