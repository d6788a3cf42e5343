# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of Thrift's compact protocol as Parquet's headers need: writing fields, and reading a struct of any kind.

A number is zigzag-coded and cut into groups of seven bits; a field's header holds the distance to the field before it.
"""

from collections.abc import Sequence
from typing import TypeAlias

from dl_driver.errors import FormatError

TRUE, BYTE, I32, I64, BINARY, LIST, STRUCT = 1, 3, 5, 6, 8, 9, 12
_FALSE, _I16, _DOUBLE, _SET = 2, 4, 7, 10
_MAX_DEPTH = 8
_MAX_VARINT = 10


def varint(value: int) -> bytes:
    """An unsigned number."""
    if value < 0x80:
        return bytes((value,))
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def number(value: int) -> bytes:
    """A signed number."""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def wide_number(value: int) -> bytes:
    """A signed number of 32 bits in five bytes, whatever its size."""
    coded = value << 1 if value >= 0 else (-value << 1) - 1
    return bytes(
        (
            coded & 0x7F | 0x80,
            coded >> 7 & 0x7F | 0x80,
            coded >> 14 & 0x7F | 0x80,
            coded >> 21 & 0x7F | 0x80,
            coded >> 28,
        )
    )


def text(value: str | bytes) -> bytes:
    """A string."""
    data = value.encode() if isinstance(value, str) else value
    return varint(len(data)) + data


def items(kind: int, elements: Sequence[bytes]) -> bytes:
    """A list."""
    count = len(elements)
    head = bytes((count << 4 | kind,)) if count < 15 else bytes((0xF0 | kind,)) + varint(count)
    return head + b"".join(elements)


def struct(*fields: tuple[int, int, bytes]) -> bytes:
    """(number, kind, content) of each field, ascending."""
    return open_struct(0, *fields) + b"\0"


def open_struct(last: int, *fields: tuple[int, int, bytes]) -> bytes:
    """Fields after number ``last``, without the struct's end."""
    parts = bytearray()
    for field, kind, content in fields:
        parts.append(field - last << 4 | kind)
        parts += content
        last = field
    return bytes(parts)


Value: TypeAlias = "int | bytes | bool | list[Value] | dict[int, Value] | None"
Struct: TypeAlias = "dict[int, Value]"
"""Fields by number."""


class Reader:
    """Reads one struct from the bytes at a position. Raises FormatError where they are none."""

    def __init__(self, data: memoryview, position: int, end: int) -> None:
        self._data, self.position, self._end = data, position, end

    def struct(self, depth: int = 0) -> "dict[int, Value]":
        """Its fields by number."""
        if depth > _MAX_DEPTH:
            raise FormatError(f"at byte {self.position} structures are nested more than {_MAX_DEPTH} deep")
        fields: dict[int, Value] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self.number()
            fields[field] = self._value(head & 15, depth)
        return fields

    def number(self) -> int:
        """A signed number."""
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> "Value":
        if kind in (TRUE, _FALSE):
            return kind == TRUE
        if kind in (_I16, I32, I64):
            return self.number()
        if kind in (BINARY, BYTE, _DOUBLE):
            value = self._take(self._varint() if kind == BINARY else 1 if kind == BYTE else 8)
            return bytes(value)
        return self._nested(kind, depth)

    def _nested(self, kind: int, depth: int) -> "Value":
        if kind in (LIST, _SET):
            return self._list(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise FormatError(f"at byte {self.position} stands a field of the unknown kind {kind}")

    def _list(self, depth: int) -> "list[Value]":
        head = self._byte()
        count = head >> 4 if head >> 4 != 15 else self._varint()
        if count > self._end - self.position:
            raise FormatError(f"at byte {self.position} begins a list of {count} elements, more than bytes are left")
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _varint(self) -> int:
        value = 0
        for group in range(_MAX_VARINT):
            byte = self._byte()
            value |= (byte & 0x7F) << 7 * group
            if byte < 0x80:
                return value
        raise FormatError(f"at byte {self.position} ends a number of more than {_MAX_VARINT} bytes")

    def _byte(self) -> int:
        if self.position >= self._end:
            raise FormatError(f"a header does not end before byte {self._end}")
        self.position += 1
        return self._data[self.position - 1]

    def _take(self, count: int) -> memoryview:
        if count > self._end - self.position:
            raise FormatError(f"at byte {self.position} begins a text of {count} bytes, more than are left")
        self.position += count
        return self._data[self.position - count : self.position]
