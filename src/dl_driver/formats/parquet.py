# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parquet: of the row groups that a batch's rows lie in, the chunks of those columns that training reads.

Decoded, a sample is a row: its columns' elements, one after another. Passed on as stored (reader.decode: raw), it is
the chunks that hold its row, which it shares with the other rows that were read with it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    Indexing,
    Layout,
    Reading,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.parquet_index import Reach, TableIndex, computed_index, parse_footer, read_footer
from dl_driver.formats.parquet_pages import check_all_regular, check_chunk, page_kind, regular_values
from dl_driver.formats.parquet_table import Column, Table, columns_of, table_of
from dl_driver.formats.parquet_write import COMPRESSIONS, MAGIC, TableWriter, footer, footer_of, plain_chunks
from dl_driver.formats.spans import FileIndex, Group, Landed, Placed, PlacedRows, too_large
from dl_driver.storage.base import Piece

_MAX_LAYOUTS = 1024


class Parquet(Format):
    """See Format."""

    name = "parquet"
    suffix = "parquet"
    compressions = COMPRESSIONS

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._columns = columns_of(options.parquet)
        self._chosen = tuple(column for column in self._columns if column.read)
        self._layouts: dict[tuple[int, ...], Layout] = {}
        self._records: dict[tuple[Column, ...], np.dtype[np.void]] = {}
        self._by_pyarrow = 0
        if options.parquet.partition_by:
            message = "is not followed: files are named as dlio_benchmark names them, so leave it out"
            raise ConfigError([Problem("dataset.parquet.partition_by", message)])
        if options.parquet.read_mode not in (None, "row_group"):
            message = f"expected row_group, got {options.parquet.read_mode!r}"
            raise ConfigError([Problem("dataset.parquet.read_mode", message)])

    # Writing

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        options = self.options
        return TableWriter(self._table(spec), spec.num_samples, options.compression, options.compression_level).pieces(
            fill
        )

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return _plain_size(self._table(spec), spec.num_samples) if self.options.compression == "none" else None

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        table = self._table(spec)
        size = _plain_size(table, spec.num_samples)
        if self.options.compression == "none":
            return size
        pages = sum(len(column.pages(rows)) for rows in table.groups(spec.num_samples) for column in table.columns)
        return size + (size >> 3) + 1024 * pages

    def sparse(self, spec: RecordSpec) -> SparseFile | None:
        """See Format."""
        if self.options.compression != "none":
            return None
        return _sparse(self._table(spec), spec.num_samples)

    # Reading

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.UNPACKED if self.options.decode else Reading.SPANS

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if self._chosen:
            return self._record(self._chosen).itemsize
        return record.sample_bytes if record is not None else super().sample_bytes(record, file_bytes, samples_per_file)

    def spans_per_sample(self) -> int:
        """See Format."""
        return max(1, len(self._chosen))

    def batch_bytes(
        self, batch_size: int, record: RecordSpec | None, samples_per_file: int, limit: int, alignment: int
    ) -> int | None:
        """See Format. Whatever the order, as long as it keeps row groups together or there are few rows."""
        if record is None:
            return None
        table = self._table(record)
        most = min(table.row_group_size, samples_per_file)
        touched = min(batch_size, max(8, 2 * (-(-batch_size // most) + 1)))
        row = sum(column.value_bytes(1) for column in table.chosen)
        runs = min(batch_size, touched + batch_size // max(1, limit // max(1, row)))
        packing = 1 if self.options.compression == "none" else 2
        total = 0
        for column in table.chosen:
            page = column.page_length(min(column.page_rows, most))
            pages = min(batch_size // column.page_rows + 2 * runs, runs * len(column.pages(most)))
            total += pages * page * packing + runs * 3 * alignment
        return total

    def shuffle_unit(self, samples_per_file: int) -> int:
        """See Format: a row group."""
        size = self.options.parquet.row_group_size
        return samples_per_file if samples_per_file <= size else math.gcd(samples_per_file, size)

    @property
    def libraries(self) -> str:
        """See Format: pyarrow packs the pages, and the schema in the footer."""
        import pyarrow as pa

        return f"pyarrow {pa.__version__}"

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return {"Parquet row groups decoded by pyarrow": self._by_pyarrow}

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        content = yield from read_footer(key)
        if self._columns and self.options.compression == "none":
            expected, computed = computed_index(
                Table(self._columns, self.options.parquet.row_group_size), samples_per_file
            )
            if content == expected:
                return computed
        return parse_footer(content, self._chosen, not self.options.decode)

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        assert isinstance(index, TableIndex)
        return index.groups(samples, limit)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        assert isinstance(index, TableIndex)
        return self._unpack(index, group, landed, into) if self.options.decode else self._pass_on(index, group, landed)

    def _pass_on(self, index: TableIndex, group: Group, landed: Landed) -> Sequence[Placed]:
        """All rows share the bytes that were read."""
        reaches: Sequence[Reach] = group.places
        places = [landed.starts[reach.span] + reach.offset for reach in reaches]
        for column, reach, place in zip(index.columns, reaches, places, strict=True):
            if index.regular:
                check_all_regular(landed.data, place, column, reach.rows)
            else:
                check_chunk(landed.data[place : place + reach.length], column.name)
        base = places[0]
        key = (*(place - base for place in places), *(reach.length for reach in reaches))
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[key] = tuple(
                ArraySpec(column.name, "|u1", (reach.length,), place - base)
                for column, reach, place in zip(index.columns, reaches, places, strict=True)
            )
        return PlacedRows(len(group.samples), base, 0, places[-1] + reaches[-1].length - base, layout)

    def _unpack(self, index: TableIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        record, count = self._record(index.columns), len(group.samples)
        if count * record.itemsize > len(into):
            raise too_large(count * record.itemsize, len(into))
        number = index.row_group(group.samples[0])
        reaches: Sequence[Reach] = group.places
        rows = np.ndarray((count,), record, into)
        if index.regular:
            columns = [
                regular_values(landed.data, landed.starts[reach.span] + reach.offset, column, reach.rows)
                for column, reach in zip(index.columns, reaches, strict=True)
            ]
        else:
            from dl_driver.formats.parquet_arrow import read_row_group

            self._by_pyarrow += 1
            columns = read_row_group(index, number, group.spans, landed)
        base = index.first_rows[number]
        for place, (values, reach) in enumerate(zip(columns, reaches, strict=True)):
            chosen = _rows_of(values, group.samples, base + reach.first)
            rows[f"f{place}"] = chosen.reshape(rows[f"f{place}"].shape)
        return PlacedRows(count, 0, record.itemsize, record.itemsize, self._row_layout(index.columns))

    def _table(self, spec: RecordSpec) -> Table:
        return table_of(self._columns, self.options.parquet, spec)

    def _record(self, columns: tuple[Column, ...]) -> "np.dtype[np.void]":
        """A row's elements."""
        found = self._records.get(columns)
        if found is None:
            fields = [(f"f{place}", _element(column), _shape(column)) for place, column in enumerate(columns)]
            found = self._records[columns] = np.dtype(fields, align=True)
        return found

    def _row_layout(self, columns: tuple[Column, ...]) -> Layout:
        record = self._record(columns)
        offsets = tuple(int(record.fields[name][1]) for name in record.names or ()) if record.fields else ()
        return _row_layout(columns, offsets)


@lru_cache(maxsize=64)
def _row_layout(columns: tuple[Column, ...], offsets: tuple[int, ...]) -> Layout:
    return tuple(
        ArraySpec(column.name, np.dtype(_element(column)).str, _shape(column), offset)
        for column, offset in zip(columns, offsets, strict=True)
    )


def _element(column: Column) -> str:
    return "|u1" if column.dtype == "bytes" else np.dtype(column.dtype).newbyteorder("<").str


def _shape(column: Column) -> tuple[int, ...]:
    return (column.size,) if column.is_list or column.dtype == "bytes" else ()


def _rows_of(values: NDArray[np.generic], samples: Sequence[int], base: int) -> NDArray[np.generic]:
    """The rows of these samples; a view where they follow one another."""
    first, last = samples[0] - base, samples[-1] - base
    if last - first == len(samples) - 1:
        return values[first : last + 1]
    chosen: NDArray[np.generic] = values[np.asarray(samples) - base]
    return chosen


@lru_cache(maxsize=16)
def _plain_size(table: Table, rows: int) -> int:
    last = plain_chunks(table, rows)[-1]
    return last[0] + last[1] + len(footer_of(table, rows)) + 8


@lru_cache(maxsize=4)
def _sparse(table: Table, rows: int) -> SparseFile:
    """The headers and levels of all pages, and the footer."""
    from dl_driver.formats.checksum import crc32, crc32_of_zeros

    heads: dict[tuple[Column, int], tuple[bytes, int]] = {}
    pieces, at = [Piece(0, MAGIC)], len(MAGIC)
    for group in table.groups(rows):
        for column in table.columns:
            for page_rows in column.pages(group):
                if (column, page_rows) not in heads:
                    levels, zeros = column.levels(page_rows), column.value_bytes(page_rows)
                    body = len(levels) + zeros
                    header = column.page_header(page_rows, body, body, crc32_of_zeros(zeros, crc32(levels)))
                    heads[column, page_rows] = header + levels, page_kind(column, page_rows).length
                head, length = heads[column, page_rows]
                pieces.append(Piece(at, head))
                at += length
    end = footer(table, table.groups(rows), plain_chunks(table, rows), "none")
    return SparseFile(at + len(end), (*pieces, Piece(at, end)))
