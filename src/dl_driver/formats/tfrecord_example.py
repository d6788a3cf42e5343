# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""tf.train.Example, the protocol buffer in most TFRecords, by hand: named lists of bytes, floats or integers.

In protocol buffers a field is a tag (number and wire type) and a value; of the latter's kinds an Example uses varints
and length-delimited bytes, nested three deep: Example > Features > (name, Feature) > a list.
"""

from collections.abc import Iterator
from typing import NamedTuple

from dl_driver.errors import FormatError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIELD_1, _FIELD_2, _FIELD_3 = 1, 2, 3
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = _FIELD_1, _FIELD_2, _FIELD_3
_INT64 = 8
_U64 = 0xFFFFFFFFFFFFFFFF


class Feature(NamedTuple):
    """Where one array lies in an Example's bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    unpacked: bytes = b""
    """To be written at ``offset``, over the bytes of the same feature, where the Example holds packed integers."""


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def example_around(payload_bytes: int) -> tuple[bytes, bytes]:
    """What comes before and after the payload in DLIO's Example: ``image``, the payload, and ``size``, its length."""
    size = _field(_FIELD_1, _entry(b"size", _field(_INT64_LIST, _field(_FIELD_1, varint(payload_bytes)))))
    image_list = _open(_FIELD_1, payload_bytes)
    feature = _open(_BYTES_LIST, len(image_list) + payload_bytes) + image_list
    entry = _field(_FIELD_1, b"image") + _open(_FIELD_2, len(feature) + payload_bytes) + feature
    features = _open(_FIELD_1, len(entry) + payload_bytes) + entry
    before = _open(_FIELD_1, len(features) + payload_bytes + len(size)) + features
    return before, size


def _open(field: int, length: int) -> bytes:
    """What comes before length-delimited bytes."""
    return varint(field << 3 | _BYTES) + varint(length)


def _field(field: int, content: bytes) -> bytes:
    return _open(field, len(content)) + content


def _entry(name: bytes, feature: bytes) -> bytes:
    return _field(_FIELD_1, name) + _field(_FIELD_2, feature)


def parse_example(data: memoryview) -> list[Feature]:
    """Every feature that holds anything; raises FormatError where the bytes are no Example."""
    features = []
    for number, start, end in _fields(data, 0, len(data), "the Example"):
        if number != _FIELD_1:
            continue
        for entry, entry_start, entry_end in _fields(data, start, end, "its features"):
            if entry == _FIELD_1:
                features += _parse_entry(data, entry_start, entry_end)
    return features


def _parse_entry(data: memoryview, start: int, end: int) -> list[Feature]:
    name, value = "", (start, start)
    for number, at, stop in _fields(data, start, end, "a feature"):
        if number == _FIELD_1:
            name = bytes(data[at:stop]).decode("utf-8", "replace")
        elif number == _FIELD_2:
            value = (at, stop)
    what = f"feature {name!r}"
    for kind, at, stop in _fields(data, *value, what):
        if kind == _BYTES_LIST:
            return _bytes_list(data, at, stop, name)
        if kind == _FLOAT_LIST:
            return _float_list(data, at, stop, name)
        if kind == _INT64_LIST:
            return _int64_list(data, (at, stop), (start, end), name)
    return []


def _bytes_list(data: memoryview, start: int, end: int, name: str) -> list[Feature]:
    values = list(_fields(data, start, end, f"feature {name!r}"))
    names = [name] if len(values) == 1 else [f"{name}.{number}" for number in range(len(values))]
    return [Feature(label, "|u1", (stop - at,), at) for label, (_, at, stop) in zip(names, values, strict=True)]


def _float_list(data: memoryview, start: int, end: int, name: str) -> list[Feature]:
    values = list(_fields(data, start, end, f"feature {name!r}"))
    if len(values) > 1 or (values and (values[0][2] - values[0][1]) % 4):
        raise FormatError(
            f"feature {name!r} holds floats that are not packed; pass records on as they are (reader.decode=none)"
        )
    return [Feature(name, "<f4", ((stop - at) // 4,), at) for _, at, stop in values]


def _int64_list(data: memoryview, span: tuple[int, int], own: tuple[int, int], name: str) -> list[Feature]:
    values: list[int] = []
    for _, start, end in _fields(data, *span, f"feature {name!r}"):
        at = start
        while at < end:
            value, at = _read_varint(data, at, end, f"feature {name!r}")
            values.append(value)
    if not values:
        return []
    unpacked = b"".join([value.to_bytes(_INT64, "little") for value in values])
    if len(unpacked) > own[1] - own[0]:
        raise FormatError(
            f"feature {name!r} packs {len(values)} integers so tightly that they cannot be unpacked in their place;"
            " pass records on as they are (reader.decode=none)"
        )
    return [Feature(name, "<i8", (len(values),), own[0], unpacked)]


def _fields(data: memoryview, start: int, end: int, what: str) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each field's value; a varint's or fixed value's bytes are its value."""
    at = start
    while at < end:
        tag, at = _read_varint(data, at, end, what)
        wire = tag & 7
        if wire == _BYTES:
            length, at = _read_varint(data, at, end, what)
            stop = at + length
        elif wire == _VARINT:
            stop = _read_varint(data, at, end, what)[1]
        elif wire in (_FIXED32, _FIXED64):
            stop = at + (4 if wire == _FIXED32 else 8)
        else:
            raise FormatError(f"{what} is no protocol buffer: wire type {wire} at byte {at} of its record")
        if stop > end:
            raise FormatError(f"{what} ends at byte {end} of its record, within a field that reaches to byte {stop}")
        yield tag >> 3, at, stop
        at = stop


def _read_varint(data: memoryview, at: int, end: int, what: str) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _U64, at
        shift += 7
    raise FormatError(f"{what} ends within a number, or the number is longer than 64 bits")
