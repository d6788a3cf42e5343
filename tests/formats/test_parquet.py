# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parquet: the conformance tests for several tables, pyarrow as the judge of what was written, its files read."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_driver.dataset.content import FileContent
from dl_driver.errors import ConfigError, DataError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import FormatOptions, RecordSpec
from dl_driver.formats.options import ParquetColumn, ParquetOptions
from dl_driver.formats.parquet_index import parse_footer
from dl_driver.testing.formats import Array, FormatConformance, Written

TYPES = (
    "float16",
    "float32",
    "float64",
    "int8",
    "bool",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
)


def table(*columns: tuple[str, int, bool], rows: int = 4) -> ParquetOptions:
    """Columns c0, c1, ... of (type, elements, read)."""
    made = [ParquetColumn(f"c{place}", dtype, size, read) for place, (dtype, size, read) in enumerate(columns)]
    return ParquetOptions(columns=tuple(made), row_group_size=rows)


ALL = table(*((dtype, 1, place % 2 == 0) for place, dtype in enumerate(TYPES)), *((dtype, 5, True) for dtype in TYPES))
LONG = table(("float32", 700, True), ("int8", 3, False), ("bool", 9, True), ("float64", 1, True), rows=6)


def judged(options: FormatOptions, written: Written, file: int) -> pa.Table:
    """The file as pyarrow reads it, checksums checked."""
    data = written.storage.get(written.files.key(file))
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()


@cache
def rows_by_pyarrow(options: FormatOptions, spec: RecordSpec, file: int) -> list[dict[str, object]]:
    """What a file should hold; content depends on nothing else."""
    rows: list[dict[str, object]] = judged(options, Written("parquet", options, spec), file).to_pylist()
    return rows


class Tables(FormatConformance):
    format_name = "parquet"
    specs = (RecordSpec((8,), "uint8", 1), RecordSpec((8,), "uint8", 11))
    max_cuts: ClassVar[int] = 30

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """Against what pyarrow reads of the same content."""
        row = rows_by_pyarrow(self.options, written.spec, file)[sample]
        wanted = [column.name for column in self.options.parquet.columns if column.read]
        assert list(arrays) == wanted
        for name, array in arrays.items():
            assert array.tolist() == row[name]

    def test_a_crop_is_the_beginning(self, written: Written) -> None:
        first = next(column for column in self.options.parquet.columns if column.read)
        count = np.dtype(first.dtype).itemsize * first.size
        for _, _, arrays in written.samples(crop_bytes=count):
            (array,) = arrays.values()
            assert array.nbytes == count


class TestRecords(FormatConformance):
    format_name = "parquet"


class TestAllTypes(Tables):
    options = FormatOptions(parquet=ALL)


class TestLists(Tables):
    options = FormatOptions(parquet=LONG)


class TestPacked(Tables):
    options = FormatOptions(parquet=LONG, compression="zstd")


class TestRaw(FormatConformance):
    format_name = "parquet"
    options = FormatOptions(parquet=replace(LONG, check_pages=True), decode=False)
    specs = (RecordSpec((8,), "uint8", 11),)

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """The values stand in the pages passed on."""
        expected = np.array(rows_by_pyarrow(self.options, written.spec, file)[sample]["c3"])
        assert expected.tobytes() in arrays["c3"].tobytes()

    def test_a_sparse_file_is_a_file_of_zeros(self, written: Written) -> None:
        sparse = written.format.sparse(written.spec)
        assert sparse is not None
        data = bytearray(sparse.size)
        for offset, piece in sparse.pieces:
            data[offset : offset + len(piece)] = piece
        theirs = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read()
        assert theirs.num_rows == written.spec.num_samples
        assert not any(theirs.column("c3").to_pylist())


class TestRawUnchecked(TestRaw):
    options = FormatOptions(parquet=LONG, decode=False)
    finds_flips = False


del FormatConformance, Tables


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4"])
def test_pyarrow_reads_what_was_written(compression: str) -> None:
    options = FormatOptions(parquet=ALL, compression=compression)
    written = Written("parquet", options, RecordSpec((8,), "uint8", 11))
    theirs = judged(options, written, 1)
    assert theirs.num_rows == 11
    assert theirs.schema.field("c0").type == pa.float16()
    assert theirs.schema.field("c3").type == pa.int8()
    assert theirs.schema.field("c13").type == pa.list_(pa.field("element", pa.float32(), nullable=False), 5)
    # Content: a row group's columns one after another. c1 follows the 4 rows of c0, 2 bytes each.
    content = bytearray(8 + 4 * 4)
    FileContent(7, 1).fill(0, memoryview(content))
    content[8 + 3 :: 4] = bytes(byte & 0xBF for byte in content[8 + 3 :: 4])
    assert theirs.column("c1").to_numpy()[:4].tobytes() == bytes(content[8:])


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("checksums", [False, True])
def test_files_of_pyarrow_are_read(compression: str, dictionary: bool, checksums: bool) -> None:
    wanted = table(("float32", 1, True), ("int8", 1, False), ("int16", 3, True))
    written = Written("parquet", FormatOptions(parquet=wanted), RecordSpec((4,), "uint8", 10))
    made = pa.table(
        {
            "c0": np.arange(10, dtype=np.float32),
            "c1": np.arange(10, dtype=np.int8),
            "c2": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(30, dtype=np.int16)), 3),
        }
    )
    out = io.BytesIO()
    pq.write_table(
        made, out, row_group_size=3, compression=compression, use_dictionary=dictionary, write_page_checksum=checksums
    )
    for file in range(2):
        written.replace(out.getvalue(), file)
    rows = {number: arrays for file, number, arrays in written.samples(shuffle=True) if file == 0}
    assert sorted(rows) == list(range(10))
    assert all(rows[n]["c0"] == n and rows[n]["c2"].tolist() == [3 * n, 3 * n + 1, 3 * n + 2] for n in rows)


def test_only_the_chunks_of_the_columns_that_are_read() -> None:
    options = FormatOptions(
        parquet=table(("float32", 1, True), ("float32", 1, True), ("int8", 1, False), ("bool", 1, True))
    )
    written = Written("parquet", options, RecordSpec((8,), "uint8", 8))
    with written.loader(batch_size=8) as loader:
        batch = next(iter(loader))
    group = pq.read_metadata(pa.BufferReader(written.storage.get(batch.keys[0]))).row_group(0)
    expected = 2 * sum(group.column(place).total_compressed_size for place in (0, 1, 3))
    assert batch.nbytes == expected


def test_a_missing_column_is_named() -> None:
    written = Written("parquet", FormatOptions(parquet=table(("float32", 1, True))), RecordSpec((8,), "uint8", 4))
    out = io.BytesIO()
    pq.write_table(pa.table({"other": np.zeros(4, np.float32)}), out)
    written.replace(out.getvalue())
    with pytest.raises(DataError, match=r"img_0_of_2\.parquet: has no column c0; it holds other"):
        list(written.samples())


def test_another_type_is_named() -> None:
    written = Written("parquet", FormatOptions(parquet=table(("float32", 1, True))), RecordSpec((8,), "uint8", 4))
    out = io.BytesIO()
    pq.write_table(pa.table({"c0": np.zeros(4, np.float64)}), out)
    written.replace(out.getvalue())
    with pytest.raises(DataError, match="column c0 holds 1 float64 a row, the workload expects 1 float32"):
        list(written.samples())


@pytest.mark.parametrize(
    ("parquet", "message"),
    [
        (table(("complex64", 1, True)), "no complex numbers"),
        (table(("float32", 1, False)), "reads none of the columns"),
        (ParquetOptions(partition_by="c0"), "leave it out"),
        (ParquetOptions(read_mode="page"), "expected row_group"),
    ],
)
def test_impossible_tables(parquet: ParquetOptions, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        get_format("parquet", FormatOptions(parquet=parquet))


def footer_of_pyarrow() -> bytes:
    out = io.BytesIO()
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(90, dtype=np.int16)), 3)
    pq.write_table(pa.table({"c0": np.zeros(30, np.float32), "c2": lists}), out, row_group_size=10)
    data = out.getvalue()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


FOOTER = footer_of_pyarrow()
DAMAGES = st.tuples(st.integers(0, len(FOOTER) - 1), st.integers(0, 3), st.binary(max_size=3))
"""(where, bytes removed, bytes inserted)"""


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(FOOTER) - 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4
    )
)
def test_damaged_footers_are_errors_or_read(damages: list[tuple[int, int, bytes]]) -> None:
    """Of damaged row groups, pyarrow's accessors end the process."""
    footer = bytearray(FOOTER)
    for at, removed, inserted in damages:
        footer[at : at + removed] = inserted
    with contextlib.suppress(FormatError, DataError):
        parse_footer(bytes(footer), (), raw=False)
