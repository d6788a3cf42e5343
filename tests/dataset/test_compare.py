# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where two byte sequences first differ, told piece by piece and window by window."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_driver.dataset.compare import Comparison, Difference, Kind, compare
from dl_driver.dataset.readahead import Window
from dl_driver.storage.base import Piece

ALPHABET = bytes(range(97, 123))


def windows(data: bytes, size: int) -> Iterator[Window]:
    for at in range(0, len(data), size):
        yield Window(at, memoryview(data)[at : at + size])


def compared(found: bytes, *pieces: tuple[int, bytes], window: int = 7, most_noted: int = 1 << 20) -> Comparison:
    def encode() -> Sequence[Piece]:
        return [Piece(offset, data) for offset, data in pieces]

    def glance(offset: int, length: int) -> bytes:
        return found[offset : offset + length]

    return compare(encode, windows(found, window), glance, most_noted)


def test_equal_bytes_in_pieces_that_do_not_meet_the_windows() -> None:
    assert compared(ALPHABET, (0, ALPHABET[:5]), (5, ALPHABET[5:20]), (20, ALPHABET[20:])) == Comparison(None, 26, 26)


@pytest.mark.parametrize("offset", [0, 1, 6, 7, 8, 13, 25])
@pytest.mark.parametrize("window", [1, 7, 26, 100])
def test_one_other_byte(offset: int, window: int) -> None:
    found = bytearray(ALPHABET)
    found[offset] ^= 1
    first = compared(bytes(found), (0, ALPHABET[:8]), (8, ALPHABET[8:]), window=window).difference
    assert first == Difference(offset, Kind.DIFFERENT, 97 + offset, (97 + offset) ^ 1)


def test_the_first_of_several() -> None:
    assert compared(b"abXdeYghZ", (0, b"abcdefghi")).difference == Difference(2, Kind.DIFFERENT, 0x63, 0x58)


def test_too_short_too_long_and_empty() -> None:
    whole = (0, ALPHABET)
    assert compared(ALPHABET[:14], whole) == Comparison(Difference(14, Kind.SHORTER), 26, 14)
    assert compared(b"", whole) == Comparison(Difference(0, Kind.SHORTER), 26, 0)
    assert compared(ALPHABET + b"!", whole) == Comparison(Difference(26, Kind.LONGER), 26, 26)
    assert compared(b"!", (0, b"")).difference == Difference(0, Kind.LONGER)
    assert compared(b"", (0, b"")) == Comparison(None, 0, 0)


def test_another_byte_comes_before_the_wrong_end() -> None:
    assert compared(b"abX", (0, ALPHABET)).difference == Difference(2, Kind.DIFFERENT, 0x63, 0x58)
    assert compared(b"abX!", (0, b"abc")).difference == Difference(2, Kind.DIFFERENT, 0x63, 0x58)


def test_what_is_patched_later_is_expected_as_patched() -> None:
    # The file is "abCDefghij": written as ten letters, then bytes 2 and 3 again.
    pieces = ((0, b"abcdef"), (6, b"ghij"), (2, b"CD"))
    assert compared(b"abCDefghij", *pieces).difference is None
    # As it was before the patch.
    assert compared(b"abcdefghij", *pieces).difference == Difference(2, Kind.DIFFERENT, 0x43, 0x63)
    assert compared(b"abCdefghij", *pieces).difference == Difference(3, Kind.DIFFERENT, 0x44, 0x64)
    # Behind the patch, and before it.
    assert compared(b"abCDefghiX", *pieces).difference == Difference(9, Kind.DIFFERENT, 0x6A, 0x58)
    assert compared(b"aXCDefghij", *pieces).difference == Difference(1, Kind.DIFFERENT, 0x62, 0x58)
    # Cut within the patch.
    assert compared(b"abC", *pieces).difference == Difference(3, Kind.SHORTER)


def test_a_later_patch_covers_an_earlier_one() -> None:
    pieces = ((0, b"abcdef"), (1, b"BCD"), (2, b"x"))
    assert compared(b"aBxDef", *pieces).difference is None
    assert compared(b"aBCDef", *pieces).difference == Difference(2, Kind.DIFFERENT, 0x78, 0x43)


def test_a_patch_far_from_the_head_is_looked_up() -> None:
    placeholder, patched = bytes(20_000), bytes(10_000) + b"there" + bytes(9_995)
    pieces = ((0, placeholder), (10_000, b"there"))
    assert compared(patched, *pieces, window=4096).difference is None
    wrong = bytearray(patched)
    wrong[10_004] = 0
    assert compared(bytes(wrong), *pieces, window=4096).difference == Difference(10_004, Kind.DIFFERENT, 0x65, 0)


@pytest.mark.parametrize("most_noted", [1, 2, 3, 5, 100])
def test_patches_of_more_bytes_than_can_be_noted(most_noted: int) -> None:
    # 600 zeros become 600 ones in three patches; then the last byte of all is wrong.
    pieces = ((0, bytes(300)), (300, bytes(301)), (400, b"\1" * 200), (0, b"\1" * 350), (350, b"\1" * 50))
    right = b"\1" * 600 + b"\0"
    assert compared(right, *pieces, most_noted=most_noted).difference is None
    wrong = right[:-1] + b"\2"
    expected = Difference(600, Kind.DIFFERENT, 0, 2)
    assert compared(wrong, *pieces, most_noted=most_noted).difference == expected
    assert compared(right + b"!", *pieces, most_noted=most_noted).difference == Difference(601, Kind.LONGER)
    assert compared(right[:-1], *pieces, most_noted=most_noted).difference == Difference(600, Kind.SHORTER)


def naive(expected: bytes, found: bytes) -> Difference | None:
    for offset, (wanted, got) in enumerate(zip(expected, found, strict=False)):
        if wanted != got:
            return Difference(offset, Kind.DIFFERENT, wanted, got)
    if len(found) == len(expected):
        return None
    kind = Kind.SHORTER if len(found) < len(expected) else Kind.LONGER
    return Difference(min(len(expected), len(found)), kind)


@given(st.data())
def test_as_a_loop_over_bytes(data: st.DataObject) -> None:
    letters = st.binary(min_size=1, max_size=40).map(lambda text: bytes(byte % 3 for byte in text))
    parts = data.draw(st.lists(letters, min_size=1, max_size=4))
    expected, pieces = bytearray(), []
    for part in parts:
        pieces.append((len(expected), part))
        expected += part
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(expected) - 1))
        patch = data.draw(letters)[: len(expected) - start]
        expected[start : start + len(patch)] = patch
        pieces.append((start, patch))
    found = bytearray(expected) + data.draw(st.sampled_from([b"", b"", b"\0"]))
    for _ in range(data.draw(st.integers(0, 2))):
        found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 2))
    found = found[: data.draw(st.sampled_from([len(found), len(found), len(found) // 2]))]
    got = compared(
        bytes(found),
        *pieces,
        window=data.draw(st.integers(1, 50)),
        most_noted=data.draw(st.sampled_from([1, 4, 1 << 20])),
    )
    assert got.difference == naive(bytes(expected), bytes(found))
    assert got.size == len(expected)
