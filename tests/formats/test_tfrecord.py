# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TFRecord's framing and index, byte by byte."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from dl_driver.errors import FormatError
from dl_driver.formats.base import FormatOptions, Indexing, RecordSpec
from dl_driver.formats.spans import RegularSpans, SpanTable
from dl_driver.formats.tfrecord import IndexFile, TfRecord
from dl_driver.formats.tfrecord_example import example_around, parse_example, payload_in
from dl_driver.formats.tfrecord_framing import header, masked, scan

FRAME = 16


def crc32c_bit_by_bit(data: bytes) -> int:
    """Castagnoli's polynomial, reflected; a second way to the same number."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def framed(*records: bytes) -> bytes:
    out = b""
    for record in records:
        length = struct.pack("<Q", len(record))
        out += length + struct.pack("<I", masked(crc32c_bit_by_bit(length)))
        out += record + struct.pack("<I", masked(crc32c_bit_by_bit(record)))
    return out


def run(steps: Indexing, objects: dict[str, bytes]) -> tuple[RegularSpans | SpanTable, int]:
    """Drive an index by hand; returns it and the bytes that were asked for."""
    answers: Sequence[memoryview | None] | None = None
    asked = 0
    try:
        while True:
            needs = next(steps) if answers is None else steps.send(answers)
            asked += sum(need.length for need in needs)
            answers = [
                memoryview(objects[need.key])[need.offset : need.offset + need.length] if need.key in objects else None
                for need in needs
            ]
    except StopIteration as done:
        return done.value, asked


def places(index: RegularSpans | SpanTable) -> list[tuple[int, int]]:
    offsets, lengths = index.of(np.arange(index.num_samples))
    return list(zip(offsets.tolist(), lengths.tolist(), strict=True))


def test_a_masked_checksum_by_hand() -> None:
    """CRC-32C of "123456789" is 0xE3069283 (RFC 3720's check value): rotated right by 15 it is 0x2507C60D."""
    assert crc32c_bit_by_bit(b"123456789") == 0xE3069283
    assert masked(0xE3069283) == (0x2507C60D + 0xA282EAD8) & 0xFFFFFFFF
    assert header(9) == framed(b"123456789")[:12]


def test_an_example_by_hand() -> None:
    """Payload of 3 bytes: bytes list 5, feature 7, entry 7 + 2 + 7 = 16; size 1: list 3, feature 5, entry 6 + 2 + 5."""
    before, after = example_around(3)
    assert before == b"\x0a\x21\x0a\x10\x0a\x05image\x12\x07\x0a\x05\x0a\x03"
    assert after == b"\x0a\x0d\x0a\x04size\x12\x05\x1a\x03\x0a\x01\x03"
    image, size = parse_example(memoryview(before + b"abc" + after))
    assert (image.name, image.shape, image.offset) == ("image", (3,), len(before))
    assert (size.name, size.unpacked) == ("size", struct.pack("<q", 3))


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16383, 16384, 114244, 1 << 21])
def test_the_payload_of_an_example_is_found_from_its_start(size: int) -> None:
    before, after = example_around(size)
    assert payload_in(before + bytes(20), len(before) + size + len(after)) == (len(before), size)
    assert payload_in(b"something else", 777) == (0, 777)


def test_a_file_is_as_long_as_computed() -> None:
    """338 x 338 bytes; before them 17 and two more for each of five lengths, which take three bytes and not one; after
    them 15 and two more for the size; and the frame: 114,304 a record."""
    assert TfRecord().file_size(RecordSpec((338, 338), "uint8", 1251)) == 1251 * 114304
    assert TfRecord(FormatOptions(compression="gzip")).file_size(RecordSpec((338, 338), "uint8", 1251)) is None


@pytest.mark.parametrize(
    "lengths",
    [
        [5] * 9,
        [100_000] * 9,
        [70_000] * 700,
        [100_000, 70_000, 5, 6, 90_000, 90_000, 90_000, 1, 200_000],
        [3],
        [80_000],
        [1_500_000, 10, 1_500_000],
        [30_000] * 80,
        [],
    ],
    ids=lambda lengths: f"{len(lengths)} of {sum(lengths)}",
)
def test_records_are_found_without_an_index(lengths: list[int]) -> None:
    records = {length: framed(bytes(length)) for length in set(lengths)}
    data = b"".join(records[length] for length in lengths)
    index, asked = run(scan("f"), {"f": data})
    starts = np.cumsum([0, *[length + FRAME for length in lengths]]).tolist()
    assert places(index) == [(start, length + FRAME) for start, length in zip(starts, lengths, strict=False)]
    if len(lengths) > 1 and min(lengths) > 1 << 16:
        assert asked < len(data) / 100, "long records are hopped over"


@pytest.mark.parametrize("length", [5, 30_000, 100_000])
def test_a_cut_file_is_found_out_without_an_index(length: int) -> None:
    data = framed(bytes(length)) * 5
    for cut in (1, 4, 5, length, length + 3, length + FRAME - 1, len(data) - 1):
        with pytest.raises(FormatError, match="the file ends"):
            run(scan("f"), {"f": data[:-cut]})


def test_a_wrong_length_is_found_out_without_an_index() -> None:
    data = bytearray(framed(bytes(100_000)) * 3)
    data[2 * 100_016] ^= 1
    with pytest.raises(FormatError, match="record at byte 200032 does not have the checksum"):
        run(scan("f"), {"f": bytes(data)})


def test_the_index_file_is_read_and_believed() -> None:
    text = b"0 20\n20 36\n56 20\n"
    index, _ = run(TfRecord().index("train/f.tfrecord", 3), {"index/train/f.tfrecord.idx": text})
    assert places(index) == [(0, 20), (20, 36), (56, 20)]


@pytest.mark.parametrize("text", [b"0 20\n20\n", b"0 x\n", b"-1 20\n", b"0 15\n", b"0 99999999999999999999\n", b"\xff"])
def test_an_index_file_of_something_else_is_an_error(text: bytes) -> None:
    with pytest.raises(FormatError, match=r"its index index/train/f.tfrecord.idx is not lines of offset and size"):
        run(TfRecord().index("train/f.tfrecord", 3), {"index/train/f.tfrecord.idx": text})


def test_a_large_index_file_is_read_in_parts_and_takes_no_memory() -> None:
    """Twenty thousand records of one size: 100 bytes of payload, 18 before, since the features' length takes two bytes,
    15 after, and the frame."""
    spec = RecordSpec((10, 10), "uint8", 20_000)
    text = b"".join(bytes(piece.data) for piece in TfRecord().encode_companion(spec, 0))
    assert text.startswith(b"0 149\n149 149\n298 149\n")
    index, _ = run(TfRecord().index("valid/f", 20_000), {"index/valid/f.idx": text})
    assert index == RegularSpans(20_000, 0, 149, 149)
    assert TfRecord().file_size(spec) == 149 * 20_000


def test_where_index_files_lie() -> None:
    file = IndexFile()
    assert file.key("train/img_0_of_1.tfrecord") == "index/train/img_0_of_1.tfrecord.idx"
    assert file.key("valid/07/img_7_of_8.tfrecord") == "index/valid/img_7_of_8.tfrecord.idx"
    assert file.key("img_0.tfrecord") is None
    assert file.main("index/valid/x.tfrecord.idx") == "valid/x.tfrecord"
    assert file.main("train/x.tfrecord") is None


def test_packed_integers_that_do_not_fit_are_refused_with_the_way_out() -> None:
    packed = bytes([1]) * 100
    values = b"\x0a" + bytes([len(packed)]) + packed
    feature = b"\x1a" + bytes([len(values)]) + values
    entry = b"\x0a\x01n" + b"\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    example = b"\x0a" + bytes([len(features)]) + features
    with pytest.raises(FormatError, match=r"reader\.decode=none"):
        parse_example(memoryview(example))
    data = memoryview(bytearray(framed(example)))
    (array,) = TfRecord(FormatOptions(decode=False)).decode(data)
    assert (array.name, array.shape, array.offset) == ("record", (len(example),), 12)


def test_what_follows_the_only_record_is_refused() -> None:
    with pytest.raises(FormatError, match="bytes follow its only record"):
        TfRecord().decode(memoryview(bytearray(framed(b"", b""))))
