# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Parquet table as the workload describes it: columns, pages, and how their elements are stored.

Every column is required (no nulls) and its values are stored plainly, so how long a page is follows from its rows. A
column of several elements a row is a list; its levels, which say where rows begin, follow from the sizes as well.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.base import RecordSpec
from dl_driver.formats.options import ParquetOptions
from dl_driver.formats.thrift_compact import BYTE, I32, STRUCT, TRUE, items, number, struct, varint, wide_number

PAGE_BYTES = 64 << 10
"""A page holds rows of about so many bytes, or one row."""
SINGLE_ROW_BYTES = 1 << 10
"""Rows of so many bytes or more have pages of their own, so that each can be read alone."""
RECORD = "record"
"""The only column of a workload that names none: each row a sample's bytes."""

_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _FIXED = 0, 1, 2, 4, 5, 7
_REQUIRED, _REPEATED = 0, 2
_PLAIN, _RLE = 0, 3
_CONVERTED = {"uint8": 11, "uint16": 12, "uint32": 13, "uint64": 14, "int8": 15, "int16": 16}
_PHYSICAL = {
    "bool": _BOOLEAN,
    "float32": _FLOAT,
    "float64": _DOUBLE,
    "float16": _FIXED,
    "int64": _INT64,
    "uint64": _INT64,
}
_KEEP_FINITE = 0xBF
_FALSE = 2


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    dtype: str
    """NumPy's name of an element; ``bytes`` for rows of ``size`` bytes each."""
    size: int
    """Elements a row."""
    read: bool = True

    @cached_property
    def kinds(self) -> dict[int, object]:
        """Kinds of pages by their rows, kept (parquet_pages.PageKind)."""
        return {}

    @cached_property
    def content_bytes(self) -> int:
        """Bytes of generated content that a row takes."""
        return self.size * (1 if self.dtype == "bytes" else np.dtype(self.dtype).itemsize)

    @property
    def is_list(self) -> bool:
        """Whether a row holds several elements."""
        return self.size > 1 and self.dtype != "bytes"

    @property
    def values_per_row(self) -> int:
        """As Parquet counts."""
        return self.size if self.is_list else 1

    @cached_property
    def physical(self) -> int:
        """Parquet's type."""
        return _FIXED if self.dtype == "bytes" else _PHYSICAL.get(self.dtype, _INT32)

    @cached_property
    def stored(self) -> str:
        """NumPy's type of the elements as they are stored; small integers take four bytes."""
        if self.dtype in ("bytes", "bool"):
            return "|u1"
        if self.physical == _INT32:
            return "<u4" if self.dtype.startswith("u") else "<i4"
        return np.dtype(self.dtype).newbyteorder("<").str

    @cached_property
    def page_rows(self) -> int:
        """Rows of a whole page."""
        row = max(1, self.value_bytes(1))
        return 1 if row >= SINGLE_ROW_BYTES else PAGE_BYTES // row

    @cached_property
    def path(self) -> tuple[str, ...]:
        """In the schema."""
        return (self.name, "list", "element") if self.is_list else (self.name,)

    def value_bytes(self, rows: int) -> int:
        """Of so many rows' values alone."""
        if self.dtype == "bool":
            return -(-rows * self.size // 8)
        return rows * self.size * np.dtype(self.stored).itemsize

    def levels(self, rows: int) -> bytes:
        """Repetition and definition levels of a page: where each row's list begins, and that nothing is missing."""
        if not self.is_list:
            return b""
        repetition = (b"\x02\x00" + varint(self.size - 1 << 1) + b"\x01") * rows
        definition = varint(rows * self.size << 1) + b"\x01"
        return b"".join(len(part).to_bytes(4, "little") + part for part in (repetition, definition))

    def page_header(self, rows: int, body: int, packed: int, crc: int) -> bytes:
        """Of a page whose body takes so many bytes, and so many packed; its length does not depend on the CRC."""
        signed = crc - (1 << 32) if crc >> 31 else crc
        data = struct(
            (1, I32, number(rows * self.values_per_row)), (2, I32, number(_PLAIN)), (3, I32, number(_RLE)),
            (4, I32, number(_RLE)),
        )  # fmt: skip
        return struct(
            (1, I32, number(0)), (2, I32, number(body)), (3, I32, number(packed)), (4, I32, wide_number(signed)),
            (5, STRUCT, data),
        )  # fmt: skip

    def page_length(self, rows: int) -> int:
        """Of a page that is not packed, header included."""
        body = len(self.levels(rows)) + self.value_bytes(rows)
        return len(self.page_header(rows, body, body, 0)) + body

    def pages(self, rows: int) -> list[int]:
        """Rows of each page of a chunk."""
        whole, rest = divmod(rows, self.page_rows)
        return [self.page_rows] * whole + ([rest] if rest else [])

    def store(self, content: memoryview, into: memoryview) -> None:
        """A page's elements from generated bytes, where these are not stored as they come."""
        if self.dtype == "bool":
            bits = np.packbits(np.frombuffer(content, np.uint8) & 1, bitorder="little")
            np.copyto(np.frombuffer(into, np.uint8), bits)
        else:
            np.copyto(np.frombuffer(into, self.stored), np.frombuffer(content, np.dtype(self.dtype).newbyteorder("<")))

    @cached_property
    def stored_as_generated(self) -> bool:
        """Whether an element's bytes are the content's."""
        return self.dtype == "bytes" or (
            self.dtype != "bool" and np.dtype(self.stored).itemsize == np.dtype(self.dtype).itemsize
        )

    def keep_finite(self, values: memoryview) -> None:
        """Clear the top bit of each float's exponent."""
        item = self._float_bytes
        if item:
            last = np.frombuffer(values, np.uint8)[item - 1 :: item]
            np.bitwise_and(last, _KEEP_FINITE, out=last)

    @cached_property
    def _float_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize if self.dtype.startswith("float") else 0

    def schema(self) -> list[bytes]:
        """Its elements of the schema."""
        if not self.is_list:
            return [self._leaf(self.name)]
        outer = struct((3, I32, number(_REQUIRED)), (4, 8, _text(self.name)), (5, I32, number(1)), (6, I32, number(3)),
                       (10, STRUCT, struct((3, STRUCT, b"\0"))))  # fmt: skip
        middle = struct((3, I32, number(_REPEATED)), (4, 8, _text("list")), (5, I32, number(1)))
        return [outer, middle, self._leaf("element")]

    def _leaf(self, name: str) -> bytes:
        fields = [(1, I32, number(self.physical))]
        if self.physical == _FIXED:
            fields.append((2, I32, number(self.size if self.dtype == "bytes" else 2)))
        fields += [(3, I32, number(_REQUIRED)), (4, 8, _text(name))]
        if self.dtype in _CONVERTED:
            fields.append((6, I32, number(_CONVERTED[self.dtype])))
            bits = np.dtype(self.dtype).itemsize * 8
            signed = TRUE if self.dtype.startswith("i") else _FALSE
            fields.append((10, STRUCT, struct((10, STRUCT, struct((1, BYTE, bytes((bits,))), (2, signed, b""))))))
        elif self.dtype == "float16":
            fields.append((10, STRUCT, struct((15, STRUCT, b"\0"))))
        return struct(*fields)

    def encodings(self) -> bytes:
        """Those that its chunks use."""
        return items(I32, [number(_PLAIN), number(_RLE)])


def _text(value: str) -> bytes:
    data = value.encode()
    return varint(len(data)) + data


@dataclass(frozen=True)
class Table:
    """What a file holds."""

    columns: tuple[Column, ...]
    row_group_size: int

    @cached_property
    def row_bytes(self) -> int:
        """Content of a row."""
        return sum(column.content_bytes for column in self.columns)

    @cached_property
    def chosen(self) -> tuple[Column, ...]:
        """The columns that training reads."""
        return tuple(column for column in self.columns if column.read)

    def groups(self, rows: int) -> list[int]:
        """Rows of each row group."""
        whole, rest = divmod(rows, self.row_group_size)
        return [self.row_group_size] * whole + ([rest] if rest else [])


def columns_of(parquet: ParquetOptions) -> tuple[Column, ...]:
    """The workload's; none where it names none. Raises ConfigError for what a table cannot hold."""
    columns = [Column(column.name, column.dtype, column.size, column.read) for column in parquet.columns]
    problems = [
        f"column {column.name}: Parquet has no complex numbers; expected a real type"
        for column in columns
        if column.dtype.startswith("complex")
    ]
    if len({column.name for column in columns}) < len(columns):
        problems.append("two columns have the same name")
    if columns and not any(column.read for column in columns):
        problems.append("training reads none of the columns; set read: true for at least one")
    if problems:
        raise ConfigError([Problem("dataset.parquet.columns", problem) for problem in problems])
    return tuple(columns)


def table_of(columns: tuple[Column, ...], parquet: ParquetOptions, spec: RecordSpec) -> Table:
    """The table that a file of these records holds."""
    return Table(columns or (Column(RECORD, "bytes", spec.sample_bytes),), parquet.row_group_size)
