# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages that were read: their headers and checksums checked, and the values of regular ones found."""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import FormatError
from dl_driver.formats.checksum import crc32
from dl_driver.formats.parquet_table import Column
from dl_driver.formats.thrift_compact import Reader, wide_number

_CRC_BYTES = 5
_MAX_KINDS = 64
_PAGES = frozenset((0, 2, 3))


class PageKind(NamedTuple):
    """What all pages of so many rows of a column have in common."""

    before: bytes
    """Of the header, before the checksum."""
    after: bytes
    head: int
    """Bytes of the header."""
    levels: bytes
    length: int
    split: struct.Struct
    """A header's bytes before the checksum, the checksum, and the bytes after."""

    def header(self, crc: int) -> bytes:
        """Of a page whose body has this CRC."""
        return self.before + wide_number(crc - (1 << 32) if crc >> 31 else crc) + self.after


def page_kind(column: Column, rows: int) -> PageKind:
    """See PageKind."""
    found = column.kinds.get(rows)
    if found is None:
        if len(column.kinds) >= _MAX_KINDS:
            column.kinds.clear()
        found = column.kinds[rows] = _page_kind(column, rows)
    assert isinstance(found, PageKind)
    return found


def _page_kind(column: Column, rows: int) -> PageKind:
    levels = column.levels(rows)
    body = len(levels) + column.value_bytes(rows)
    header = column.page_header(rows, body, body, 0)
    at = header.index(wide_number(0))
    before, after = header[:at], header[at + _CRC_BYTES :]
    split = struct.Struct(f"{at}s{_CRC_BYTES}s{len(after)}s")
    return PageKind(before, after, len(header), levels, len(header) + body, split)


def check_regular(data: memoryview, start: int, column: Column, rows: int) -> PageKind:
    """Check a page of a regular file."""
    kind = page_kind(column, rows)
    before, stored, after = kind.split.unpack_from(data, start)
    if before != kind.before or after != kind.after:
        raise FormatError(f"column {column.name}: a page's header is not what its rows and the footer make it")
    crc = crc32(data[start + kind.head : start + kind.length])
    if stored != wide_number(crc - (1 << 32) if crc >> 31 else crc):
        raise FormatError(f"column {column.name}: a page does not have the checksum that its header tells")
    return kind


def check_all_regular(data: memoryview, start: int, column: Column, rows: int) -> None:
    """Check the pages of so many rows."""
    if rows <= column.page_rows:
        check_regular(data, start, column, rows)
        return
    for page_rows in column.pages(rows):
        start += check_regular(data, start, column, page_rows).length


def regular_values(data: memoryview, start: int, column: Column, rows: int) -> NDArray[np.generic]:
    """Check pages and return their values, a row a row; a view where they are one page."""
    parts = []
    for page_rows in column.pages(rows):
        kind = check_regular(data, start, column, page_rows)
        first = start + kind.head + len(kind.levels)
        if bytes(data[start + kind.head : first]) != kind.levels:
            raise FormatError(f"column {column.name}: its lists are not of {column.size} elements each")
        parts.append(_values(data, first, column, page_rows))
        start += kind.length
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _values(data: memoryview, first: int, column: Column, rows: int) -> NDArray[np.generic]:
    count = rows * column.size
    if column.dtype == "bool":
        packed = np.frombuffer(data, np.uint8, column.value_bytes(rows), first)
        return np.unpackbits(packed, count=count, bitorder="little").view(np.bool_).reshape(rows, column.size)
    return np.frombuffer(data, column.stored, count, first).reshape(rows, column.size)


def check_chunk(data: memoryview, name: str) -> None:
    """Walk through a chunk of any writer's pages, and check the checksums that are there."""
    at = 0
    while at < len(data):
        reader = Reader(data, at, len(data))
        header = reader.struct()
        kind, packed, crc = header.get(1), header.get(3), header.get(4)
        if not (isinstance(kind, int) and kind in _PAGES and isinstance(packed, int) and packed >= 0):
            raise FormatError(f"column {name}: at byte {at} of its chunk stands no page's header")
        body = data[reader.position : reader.position + packed]
        if len(body) < packed:
            raise FormatError(f"column {name}: a page reaches beyond its chunk")
        if isinstance(crc, int) and crc32(body) != crc & 0xFFFFFFFF:
            raise FormatError(f"column {name}: a page does not have the checksum that its header tells")
        at = reader.position + packed
