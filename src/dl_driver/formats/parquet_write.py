# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing a Parquet file as a stream: a page at a time, and the footer last.

Of a file only the page in the making and the places of its column chunks are held, however large it is. Pages carry
checksums.
"""

import base64
from collections.abc import Iterator
from functools import lru_cache

from dl_driver.formats.base import ContentReader
from dl_driver.formats.checksum import crc32
from dl_driver.formats.parquet_pages import page_kind
from dl_driver.formats.parquet_table import Column, Table
from dl_driver.formats.thrift_compact import BINARY, I32, I64, LIST, STRUCT, items, number, open_struct, struct, text
from dl_driver.storage.base import Piece

MAGIC = b"PAR1"
CREATED_BY = "dl-driver"
"""Of such files, how pages lie is known where they are not packed."""
_WINDOW = 512 << 10
_CODECS = {"none": 0, "snappy": 1, "gzip": 2, "zstd": 6, "lz4": 7}
_PYARROW_CODECS = {"snappy": "snappy", "gzip": "gzip", "zstd": "zstd", "lz4": "lz4_raw"}
COMPRESSIONS = frozenset(_CODECS)


class TableWriter:
    """Encodes one file."""

    def __init__(self, table: Table, rows: int, compression: str, level: int) -> None:
        self._table, self._rows, self._compression = table, rows, compression
        self._codec = None
        if compression != "none":
            import pyarrow as pa

            has_level = compression in ("gzip", "zstd")
            self._codec = pa.Codec(_PYARROW_CODECS[compression], compression_level=level if has_level else None)

    def pieces(self, fill: ContentReader) -> Iterator[Piece]:
        """The file's bytes."""
        chunks: list[tuple[int, int, int]] = []
        buffer = memoryview(bytearray(_WINDOW))
        start, used = 0, len(MAGIC)
        buffer[:used] = MAGIC
        content, groups = 0, self._table.groups(self._rows)
        for rows in groups:
            for column in self._table.columns:
                begun, plain = start + used, 0
                for page_rows in column.pages(rows):
                    most = self._most(column, page_rows)
                    if used + most > len(buffer):
                        yield Piece(start, buffer[:used])
                        start, used = start + used, 0
                        buffer = buffer if most <= len(buffer) else memoryview(bytearray(most))
                    length, unpacked = self._page(column, page_rows, fill, content, buffer[used : used + most])
                    used, plain = used + length, plain + unpacked
                    content += page_rows * column.content_bytes
                chunks.append((begun, start + used - begun, plain))
        yield Piece(start, buffer[:used])
        yield Piece(start + used, footer(self._table, groups, chunks, self._compression))

    def _most(self, column: Column, rows: int) -> int:
        length = page_kind(column, rows).length
        return length + (length >> 3) + 1024 if self._codec else length

    def _page(self, column: Column, rows: int, fill: ContentReader, content: int, into: memoryview) -> tuple[int, int]:
        """Make a page; its length, and what it would be unpacked."""
        kind = page_kind(column, rows)
        whole = into[kind.head : kind.length]
        first = len(kind.levels)
        whole[:first] = kind.levels
        values = whole[first:]
        if column.stored_as_generated:
            fill(content, values)
            column.keep_finite(values)
        else:
            scratch = memoryview(bytearray(rows * column.content_bytes))
            fill(content, scratch)
            column.store(scratch, values)
        if self._codec is None:
            into[: kind.head] = kind.header(crc32(whole))
            return kind.length, kind.length
        packed = self._codec.compress(whole, asbytes=True)
        header = column.page_header(rows, len(whole), len(packed), crc32(packed))
        length = len(header) + len(packed)
        into[:length] = header + packed
        return length, len(header) + len(whole)


def plain_chunks(table: Table, rows: int) -> list[tuple[int, int, int]]:
    """(offset, length, length unpacked) of each chunk of a file that is not packed."""
    groups, lengths = table.groups(rows), {}
    for size in set(groups):
        lengths[size] = [chunk_length(column, size) for column in table.columns]
    chunks, at = [], len(MAGIC)
    for size in groups:
        for length in lengths[size]:
            chunks.append((at, length, length))
            at += length
    return chunks


def chunk_length(column: Column, rows: int) -> int:
    """Of a chunk that is not packed."""
    whole, rest = divmod(rows, column.page_rows)
    return whole * column.page_length(column.page_rows) + (column.page_length(rest) if rest else 0)


@lru_cache(maxsize=4)
def footer_of(table: Table, rows: int) -> bytes:
    """The footer of a file that is not packed, without its length and the last four bytes."""
    return footer(table, table.groups(rows), plain_chunks(table, rows), "none")[:-8]


def footer(table: Table, groups: list[int], chunks: list[tuple[int, int, int]], compression: str) -> bytes:
    """What stands behind the last page."""
    start = {rows: [_chunk_start(column, rows, compression) for column in table.columns] for rows in set(groups)}
    encoded, width = [], len(table.columns)
    for group, rows in enumerate(groups):
        mine = chunks[group * width : (group + 1) * width]
        columns = [
            head + _chunk_end(offset, length, plain)
            for head, (offset, length, plain) in zip(start[rows], mine, strict=True)
        ]
        total, packed = sum(plain for _, _, plain in mine), sum(length for _, length, _ in mine)
        encoded.append(
            struct(
                (1, LIST, items(STRUCT, columns)),
                (2, I64, number(total)),
                (3, I64, number(rows)),
                (5, I64, number(mine[0][0])),
                (6, I64, number(packed)),
            )
        )
    schema = [struct((4, BINARY, text("schema")), (5, I32, number(width)))]
    for column in table.columns:
        schema += column.schema()
    data = struct(
        (1, I32, number(2)), (2, LIST, items(STRUCT, schema)), (3, I64, number(sum(groups))),
        (4, LIST, items(STRUCT, encoded)), (5, LIST, items(STRUCT, _notes(table))),
        (6, BINARY, text(CREATED_BY)),
    )  # fmt: skip
    return data + len(data).to_bytes(4, "little") + MAGIC


def _chunk_start(column: Column, rows: int, compression: str) -> bytes:
    """A chunk's entry up to its sizes."""
    path = items(BINARY, [text(part) for part in column.path])
    return open_struct(0, (2, I64, number(0)), (3, STRUCT, b"")) + open_struct(
        0, (1, I32, number(column.physical)), (2, LIST, column.encodings()), (3, LIST, path),
        (4, I32, number(_CODECS[compression])), (5, I64, number(rows * column.values_per_row)),
    )  # fmt: skip


def _chunk_end(offset: int, length: int, plain: int) -> bytes:
    """A chunk's entry from its sizes on: fields 6, 7 and 9, then the ends of both structs."""
    return b"\x16" + number(plain) + b"\x16" + number(length) + b"\x26" + number(offset) + b"\0\0"


def _notes(table: Table) -> list[bytes]:
    """The schema as Arrow keeps it, which knows lists of one length and more types than Parquet."""
    import pyarrow as pa

    arrow = pa.schema([pa.field(column.name, _arrow_type(column), nullable=False) for column in table.columns])
    notes = {"ARROW:schema": base64.b64encode(arrow.serialize().to_pybytes()).decode()}
    return [struct((1, BINARY, text(key)), (2, BINARY, text(value))) for key, value in notes.items()]


def _arrow_type(column: Column) -> "object":
    import numpy as np
    import pyarrow as pa

    if column.dtype == "bytes":
        return pa.binary(column.size)
    element = pa.from_numpy_dtype(np.dtype(column.dtype))
    if not column.is_list:
        return element
    return pa.list_(pa.field("element", element, nullable=False), column.size)
