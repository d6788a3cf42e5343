# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How TFRecord files frame their records, and where records lie.

A record is a length (8 bytes), the length's checksum (4), the data, the data's checksum (4). A checksum is a CRC-32C,
rotated and shifted so that the checksum of bytes that hold checksums is none of them. The index beside a file is
NVIDIA DALI's: a text line a record, offset and size of the whole frame.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache

import numpy as np
from crc32c import crc32c

from dl_driver.errors import FormatError
from dl_driver.formats.base import Indexing
from dl_driver.formats.spans import Need, RegularSpans, SpanTable, span_index
from dl_driver.storage.base import Piece

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")
HEADER_BYTES, FOOTER_BYTES = HEADER.size, FOOTER.size
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES
"""Around a record's data."""

_TEXT_BYTES = 1 << 18
_SCAN_BYTES = 1 << 20
_HOP_BYTES = 1 << 16
"""Records longer than this are not read to find the next."""
_MOST_HOPS = 256
_LINES = 4096


def masked(crc: int) -> int:
    """A CRC as it is stored."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=4096)
def header(length: int) -> bytes:
    """What stands before a record of so many bytes."""
    return HEADER.pack(length, masked(crc32c(length.to_bytes(8, "little"))))


def record_length(data: "bytes | memoryview", at: int) -> int:
    """The length in a header, checked; ``at``: the header's place in the file, for the message."""
    length: int
    length, stored = HEADER.unpack_from(data)
    if stored != masked(crc32c(data[:8])):
        raise FormatError(f"the length of the record at byte {at} does not have the checksum that stands behind it")
    return length


def index_lines(frame_bytes: int, count: int) -> Iterator[Piece]:
    """The index of ``count`` records of one size."""
    at = 0
    for first in range(0, count, _LINES):
        numbers = range(first, min(first + _LINES, count))
        text = "".join(f"{number * frame_bytes} {frame_bytes}\n" for number in numbers).encode()
        yield Piece(at, text)
        at += len(text)


def read_index(key: str) -> "Generator[Sequence[Need], Sequence[memoryview | None], RegularSpans | SpanTable | None]":
    """The index in an object of that key; None where there is none."""
    text, size = bytearray(), _TEXT_BYTES
    while True:
        (answer,) = yield (Need(key, len(text), size, optional=True),)
        if answer is None:
            return None
        text += answer
        if len(answer) < size:
            return _parse_index(bytes(text), key)
        size *= 2


def _parse_index(text: bytes, key: str) -> RegularSpans | SpanTable:
    try:
        numbers = np.array(text.split(), dtype=np.int64).reshape(-1, 2)
    except (ValueError, OverflowError):
        numbers = np.array([[-1, -1]])
    if (numbers < (0, FRAME_BYTES)).any():
        raise FormatError(
            f"its index {key} is not lines of offset and size; remove it to have it made up from the file"
        )
    return span_index(numbers[:, 0].copy(), numbers[:, 1].copy())


def scan(key: str) -> Indexing:
    """The index from the file itself. Long records are hopped over, many at a time where they are all of one length;
    short ones are read."""
    offsets: list[int] = []
    end, hops = 0, 1
    while True:
        distance = yield from _next_frame(key, offsets, end)
        if not distance:
            break
        if distance <= _HOP_BYTES:
            end = yield from _scan_short(key, offsets, end)
        else:
            offsets.append(end)
            end, hops = yield from _hop(key, offsets, end + distance, distance, hops)
    starts = np.array(offsets, np.int64)
    return span_index(starts, np.diff(starts, append=end))


def _next_frame(key: str, offsets: list[int], end: int) -> Generator[Sequence[Need], Sequence[memoryview | None], int]:
    """Bytes of the frame that begins where the ones known end; 0 at the file's end."""
    before = FOOTER_BYTES if offsets else 0
    (answer,) = yield (Need(key, end - before, before + HEADER_BYTES),)
    assert answer is not None
    if len(answer) < before:
        raise _within(offsets[-1], end)
    return _frame(answer[before:], end) if len(answer) > before else 0


def _within(start: int, end: int) -> FormatError:
    return FormatError(f"the file ends within the record at byte {start}, which reaches to byte {end}")


def _frame(data: memoryview, at: int) -> int:
    """Bytes of the frame whose header this is."""
    if len(data) < HEADER_BYTES:
        raise FormatError(f"the file ends within the header of the record at byte {at}")
    return record_length(data[:HEADER_BYTES], at) + FRAME_BYTES


def _hop(
    key: str, offsets: list[int], end: int, distance: int, hops: int
) -> Generator[Sequence[Need], Sequence[memoryview | None], tuple[int, int]]:
    """Look at headers where they are if records go on being of one length; returns where the records found end, and
    how many to try next. Each is read with the last bytes of the record before, which so are known to be there."""
    answers = yield [
        Need(key, end + number * distance - FOOTER_BYTES, HEADER_BYTES + FOOTER_BYTES) for number in range(hops)
    ]
    expected = end
    for answer in answers:
        assert answer is not None
        if len(answer) < FOOTER_BYTES:
            raise _within(offsets[-1], end)
        if len(answer) == FOOTER_BYTES or end != expected:
            return end, 1
        found = _frame(answer[FOOTER_BYTES:], end)
        if found <= _HOP_BYTES:
            return end, 1
        offsets.append(end)
        end += found
        expected += distance
    return end, min(2 * hops, _MOST_HOPS)


def _scan_short(
    key: str, offsets: list[int], start: int
) -> Generator[Sequence[Need], Sequence[memoryview | None], int]:
    """Read on from a header while records are short; returns where the last one found ends."""
    end = start
    while True:
        (window,) = yield (Need(key, end, _SCAN_BYTES),)
        assert window is not None
        begun, at = end, 0
        while at + HEADER_BYTES <= len(window):
            distance = _frame(window[at:], end)
            if at + distance > len(window):
                break
            offsets.append(end)
            at, end = at + distance, end + distance
        if len(window) < _SCAN_BYTES:
            if at < len(window):
                raise FormatError(f"the file ends at byte {begun + len(window)}, within the record at byte {end}")
            return end
        if end == begun:
            return end
