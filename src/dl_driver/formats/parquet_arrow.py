# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Row groups of any writer's files, decoded by pyarrow from the spans that were read."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.parquet_index import TableIndex
from dl_driver.formats.parquet_table import Column
from dl_driver.formats.spans import Landed, Span


class _SpanFile(io.RawIOBase):
    """A file of which some spans are at hand."""

    def __init__(self, spans: Sequence[Span], landed: Landed) -> None:
        self._spans, self._landed = list(spans), landed
        self._size = max(span.offset + span.length for span in self._spans)
        self._at = 0

    def size(self) -> int:
        """Up to the last span's end."""
        return self._size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """See io."""
        return self._at

    def seekable(self) -> bool:
        """See io."""
        return True

    def readable(self) -> bool:
        """See io."""
        return True

    def read(self, size: int = -1) -> bytes:
        """See io; raises OSError for bytes that were not read."""
        for number, (offset, length) in enumerate(self._spans):
            if offset <= self._at < offset + length:
                within = self._at - offset
                data = self._landed.span(number)[within : within + size if size >= 0 else None]
                self._at += len(data)
                return bytes(data)
        raise OSError(f"pyarrow asks for byte {self._at}, which is in none of the columns' chunks")


def read_row_group(index: TableIndex, number: int, spans: Sequence[Span], landed: Landed) -> list[NDArray[np.generic]]:
    """The values of each column, shape (rows, elements)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [column.name for column in index.columns]
    try:
        source = pa.PythonFile(_SpanFile(spans, landed), mode="r")
        file = pq.ParquetFile(source, metadata=index.metadata, pre_buffer=False, page_checksum_verification=True)
        table = file.read_row_group(number, columns=names, use_threads=False)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FormatError(
            f"row group {number} cannot be decoded: {(str(error).splitlines() or [type(error).__name__])[0]}"
        ) from error
    rows = index.first_rows[number + 1] - index.first_rows[number]
    return [_array(table.column(column.name), column, rows) for column in index.columns]


def _array(chunked: Any, column: Column, rows: int) -> NDArray[np.generic]:
    import pyarrow as pa

    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if array.null_count:
        raise DataError(f"column {column.name} lacks {array.null_count} values; columns without nulls are expected")
    if column.dtype == "bytes":
        data = array.buffers()[1]
        values = np.frombuffer(data, np.uint8, len(array) * column.size, array.offset * column.size)
    else:
        flat = array.flatten() if column.is_list else array
        if flat.null_count:
            raise DataError(f"column {column.name} lacks elements; lists without nulls are expected")
        values = flat.to_numpy(zero_copy_only=False)
    if len(array) != rows or values.size != rows * column.size:
        raise DataError(
            f"column {column.name} holds {values.size} elements in {rows} rows; {column.size} a row are expected"
        )
    return values.reshape(rows, column.size)
