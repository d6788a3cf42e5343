# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a Parquet file's column chunks lie, from its footer alone.

Files of this program's own writer whose pages are not packed are regular: how long each page is follows from its rows,
so that single pages can be read. Of all others whole chunks are read, and pyarrow decodes them.
"""

import bisect
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.parquet_table import SINGLE_ROW_BYTES, Column, Table
from dl_driver.formats.parquet_write import CREATED_BY, MAGIC, chunk_length, footer_of, plain_chunks
from dl_driver.formats.spans import Group, Need, ShapedSpans, Span, SpanShape
from dl_driver.formats.thrift_compact import Reader, Struct, Value

T = TypeVar("T")

TAIL_BYTES = 64 << 10
_END_BYTES = 8
_BASE_BYTES = 1024
_LONGEST_SPAN = 1 << 30
_CHUNK_BYTES = 320
"""Of a column's chunk, where every row group has a shape of its own: two numbers in lists, a reach, a part of the
shape."""


class Reach(NamedTuple):
    """Part of one column's chunk in one row group."""

    span: int
    """Number of the group's span that holds it."""
    offset: int
    """Within that span."""
    length: int
    first: int
    """Row of the row group that it begins with."""
    rows: int


@dataclass(frozen=True, slots=True)
class TableIndex:
    """See FileIndex."""

    columns: tuple[Column, ...]
    """Those that are read; of a file whose types are unknown, with the element type ``chunk``."""
    first_rows: list[int]
    """Of each row group, then the number of rows."""
    offsets: list[list[int]]
    """Of each row group's chunks."""
    lengths: list[list[int]]
    regular: bool
    metadata: Any
    """pyarrow's, where it is to decode."""
    footer_bytes: int
    """0: the index is shared by all files that are alike."""
    row_bytes: int
    """Of the columns' values."""
    _shapes: "dict[tuple[tuple[int, ...], ...], tuple[SpanShape, list[Reach]]]" = field(default_factory=dict)
    """Of whole row groups: where their spans and their columns' parts are; most of a table's are alike."""
    _whole: dict[int, tuple[ShapedSpans, list[Reach]]] = field(default_factory=dict)
    """By row group."""

    @property
    def num_samples(self) -> int:
        """See FileIndex."""
        return self.first_rows[-1]

    @property
    def nbytes(self) -> int:
        """See FileIndex."""
        if not self.footer_bytes:
            return _BASE_BYTES
        kept = 0 if self.metadata is None else 12 * self.footer_bytes
        return _BASE_BYTES + kept + _CHUNK_BYTES * len(self.columns) * len(self.offsets)

    def row_group(self, sample: int) -> int:
        """The row group that holds a row."""
        return bisect.bisect_right(self.first_rows, sample) - 1

    def groups(self, samples: Sequence[int], limit: int) -> list[Group]:
        """What to read for these rows."""
        groups, start = [], 0
        while start < len(samples):
            number = self.row_group(samples[start])
            end = bisect.bisect_left(samples, self.first_rows[number + 1], start)
            groups += [self._group(number, run) for run in self._runs(samples[start:end], limit)]
            start = end
        return groups

    def _group(self, number: int, samples: Sequence[int]) -> Group:
        known = self._whole.get(number)
        if known is None or not self._takes_all(number, samples):
            spans, reaches = self._reaches(number, samples)
            if not self._takes_all(number, samples) or not _can_be_one_read(spans):
                return Group(spans, samples, reaches)
            known = self._whole[number] = self._shaped(spans, reaches)
        return Group(known[0], samples, known[1])

    def _takes_all(self, number: int, samples: Sequence[int]) -> bool:
        """Whether all of the chunks is read for these rows."""
        base = self.first_rows[number]
        return not self.regular or (samples[0] == base and samples[-1] == self.first_rows[number + 1] - 1)

    def _shaped(self, spans: list[Span], reaches: list[Reach]) -> tuple[ShapedSpans, list[Reach]]:
        """The same with what is known of other row groups of the same shape."""
        base = spans[0].offset
        key = (tuple(offset - base for offset, _ in spans), tuple(length for _, length in spans), *map(tuple, reaches))
        known = self._shapes.get(key)
        if known is None:
            shape = SpanShape(np.array(key[0], np.int64), np.array(key[1], np.int64))
            known = self._shapes[key] = (shape, reaches)
        return ShapedSpans(base, known[0]), known[1]

    def _runs(self, samples: Sequence[int], limit: int) -> list[Sequence[int]]:
        """Rows of one row group that are read together: all of them, but for wide rows, which have own pages."""
        row = self.row_bytes if self.regular else 0
        if row < SINGLE_ROW_BYTES:
            return [samples]
        most, runs, begun = max(1, limit // row), [], 0
        for at in range(1, len(samples) + 1):
            if at == len(samples) or at - begun == most or samples[at] != samples[at - 1] + 1:
                runs.append(samples[begun:at])
                begun = at
        return runs

    def _reaches(self, number: int, samples: Sequence[int]) -> tuple[list[Span], list[Reach]]:
        """The spans that hold these rows of a row group, touching ones joined, and each column's part of them."""
        base = self.first_rows[number]
        first, last, rows = samples[0] - base, samples[-1] - base, self.first_rows[number + 1] - base
        spans: list[Span] = []
        reaches: list[Reach] = []
        start = end = -1
        for column, chunk, length in zip(self.columns, self.offsets[number], self.lengths[number], strict=True):
            skipped, taken, begin, count = 0, length, 0, rows
            if self.regular and rows > column.page_rows:
                skipped, taken, begin, count = _pages(column, first, last, rows)
            offset = chunk + skipped
            within = offset - start
            if offset == end:
                spans[-1] = Span(start, within + taken)
            else:
                start, within = offset, 0
                spans.append(Span(offset, taken))
            end = offset + taken
            reaches.append(Reach(len(spans) - 1, within, taken, begin, count))
        return spans, reaches


def _can_be_one_read(spans: Sequence[Span]) -> bool:
    """Whether each begins behind the one before, since a workload may name a file's columns in another order, and none
    is so long that it takes several requests."""
    ascend = all(before.offset + before.length <= span.offset for before, span in pairwise(spans))
    return ascend and all(span.length <= _LONGEST_SPAN for span in spans)


def _pages(column: Column, first: int, last: int, rows: int) -> tuple[int, int, int, int]:
    """Bytes before the pages of these rows, bytes of them, their first row, their rows."""
    whole = column.page_length(column.page_rows)
    begin, end = first // column.page_rows, last // column.page_rows + 1
    until = min(end * column.page_rows, rows)
    taken = (end - begin) * whole
    if until < end * column.page_rows:
        taken += column.page_length(until - (end - 1) * column.page_rows) - whole
    return begin * whole, taken, begin * column.page_rows, until - begin * column.page_rows


def read_footer(key: str) -> Generator[Sequence[Need], Sequence["memoryview | None"], bytes]:
    """The footer's bytes; as a part of Format.index."""
    (tail,) = yield (Need(key, -TAIL_BYTES, TAIL_BYTES),)
    assert tail is not None
    if len(tail) < _END_BYTES + len(MAGIC) or tail[-4:] != MAGIC:
        raise FormatError(f"does not end with {MAGIC.decode()}, so it is no Parquet file, or was cut off")
    length = int.from_bytes(tail[-8:-4], "little")
    if length + _END_BYTES > len(tail):
        if len(tail) < TAIL_BYTES:
            raise FormatError(f"its footer should have {length} bytes, but the file has {len(tail)} alone")
        wanted = length + _END_BYTES
        (tail,) = yield (Need(key, -wanted, wanted),)
        assert tail is not None
        if len(tail) < wanted:
            raise FormatError(f"its footer should have {length} bytes, but the file has {len(tail)} alone")
    return bytes(tail[-length - _END_BYTES : -_END_BYTES]) if length else b""


def parse_footer(footer: bytes, wanted: Sequence[Column], raw: bool) -> TableIndex:
    """The index that a footer tells; ``wanted``: the workload's columns to read, all where there are none.

    pyarrow reads the schema, and is asked for nothing else: of damaged row groups it ends the process.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    told = Reader(memoryview(footer), 0, len(footer)).struct()
    framed = MAGIC + footer + len(footer).to_bytes(4, "little") + MAGIC
    try:
        metadata = pq.read_metadata(pa.BufferReader(framed))
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FormatError(f"its footer cannot be read: {_first_line(error)}") from error
    return _index(told, _Schema(metadata, schema, len(footer)), wanted, raw)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _Schema(NamedTuple):
    """What pyarrow tells of a footer."""

    metadata: Any
    arrow: Any
    footer_bytes: int


def _index(told: Struct, schema: _Schema, wanted: Sequence[Column], raw: bool) -> TableIndex:
    groups = [_expect(group, dict) for group in _expect(told.get(4), list)]
    leaves = _leaves(groups)
    present = list(leaves) or list(schema.arrow.names)
    names = [column.name for column in wanted] or present
    for name in names:
        if name not in present or name not in schema.arrow.names:
            shown = ", ".join(present[:8])
            raise DataError(f"has no column {name}; it holds {shown}; check dataset.parquet.columns")
    columns = _columns(schema.arrow, names, wanted, raw)
    first_rows, offsets, lengths = [0], [], []
    regular = told.get(6) == CREATED_BY.encode() and not any(map(raw_type, columns))
    for number, group in enumerate(groups):
        rows = _expect(group.get(3), int)
        chunks = [_chunk(group, name, leaves[name]) for name in names]
        if rows <= 0 or any(offset < len(MAGIC) or length < 0 for offset, length in chunks):
            raise FormatError(f"its footer gives row group {number} an impossible size or place")
        regular = regular and all(
            length == chunk_length(column, rows) for column, (_, length) in zip(columns, chunks, strict=True)
        )
        first_rows.append(first_rows[-1] + rows)
        offsets.append([offset for offset, _ in chunks])
        lengths.append([length for _, length in chunks])
    if first_rows[-1] != told.get(3):
        raise FormatError(f"its footer tells of {told.get(3)!r} rows, its row groups of {first_rows[-1]}")
    kept = None if raw or regular else schema.metadata
    row_bytes = sum(column.value_bytes(1) for column in columns) if regular else 0
    return TableIndex(columns, first_rows, offsets, lengths, regular, kept, schema.footer_bytes, row_bytes)


def _expect(value: Value, kind: type[T]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FormatError("its footer lacks something, or has something else in its place")
    return value


def _leaves(groups: Sequence[Struct]) -> dict[str, list[int]]:
    """By column the numbers of its chunks in a row group, of which a nested column has several."""
    leaves: dict[str, list[int]] = {}
    for number, chunk in enumerate(_expect(groups[0].get(1), list) if groups else ()):
        leaves.setdefault(_expect(_path(chunk)[0], bytes).decode(errors="replace"), []).append(number)
    return leaves


def _path(chunk: Value) -> list[Value]:
    path = _expect(_expect(_expect(chunk, dict).get(3), dict).get(3), list)
    return path or [None]


def raw_type(column: Column) -> bool:
    """Whether what a column's chunks hold is not known."""
    return column.dtype == "chunk"


def _chunk(group: Struct, name: str, leaves: Sequence[int]) -> tuple[int, int]:
    """Offset and length of a column's chunks, which lie together."""
    begin, end = -1, -1
    chunks = _expect(group.get(1), list)
    for leaf in leaves:
        if leaf >= len(chunks) or _path(chunks[leaf])[0] != name.encode():
            raise FormatError(f"its footer's row groups differ in their columns, at {name}")
        told = _expect(_expect(chunks[leaf], dict).get(3), dict)
        start, length = _expect(told.get(9), int), _expect(told.get(7), int)
        dictionary = told.get(11)
        if isinstance(dictionary, int) and 0 < dictionary < start:
            start = dictionary
        if length < 0 or end not in (-1, start):
            raise FormatError(f"its footer gives column {name} an impossible size, or parts that lie asunder")
        begin, end = (start if begin < 0 else begin), start + length
    return begin, end - begin


def _columns(schema: Any, names: Sequence[str], wanted: Sequence[Column], raw: bool) -> tuple[Column, ...]:
    """With the types that the file says they have."""
    sizes = {column.name: column.size for column in wanted}
    columns = tuple(_column(schema.field(name), sizes.get(name), raw) for name in names)
    for column, expected in zip(columns, wanted, strict=False):
        if not raw_type(column) and (column.dtype, column.size) != (expected.dtype, expected.size):
            raise DataError(
                f"column {column.name} holds {column.size} {column.dtype} a row, the workload expects {expected.size}"
                f" {expected.dtype}; check dataset.parquet.columns"
            )
    return columns


def _column(field: Any, size: int | None, raw: bool) -> Column:
    import pyarrow as pa

    kind, count = field.type, 1
    if pa.types.is_fixed_size_list(kind):
        kind, count = kind.value_type, kind.list_size
    elif pa.types.is_list(kind) and size:
        kind, count = kind.value_type, size
    if pa.types.is_fixed_size_binary(kind) and count == 1:
        return Column(field.name, "bytes", kind.byte_width)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return Column(field.name, np.dtype(kind.to_pandas_dtype()).name, count)
    if raw:
        return Column(field.name, "chunk", 1)
    raise DataError(
        f"column {field.name} is of the type {field.type}, which cannot become arrays of one shape; leave it out of the"
        " columns that are read, or pass chunks on as they are (reader.decode: raw)"
    )


@lru_cache(maxsize=4)
def computed_index(table: Table, rows: int) -> tuple[bytes, TableIndex]:
    """The footer of a file of this program's own, and the index that it tells; the same for all files alike."""
    chunks, width, base = plain_chunks(table, rows), len(table.columns), [0]
    for group in table.groups(rows):
        base.append(base[-1] + group)
    read = [place for place, column in enumerate(table.columns) if column.read]
    rows_of = range(len(base) - 1)
    offsets = [[chunks[group * width + place][0] for place in read] for group in rows_of]
    lengths = [[chunks[group * width + place][1] for place in read] for group in rows_of]
    footer = footer_of(table, rows)
    row_bytes = sum(column.value_bytes(1) for column in table.chosen)
    return footer, TableIndex(table.chosen, base, offsets, lengths, True, None, 0, row_bytes)
