# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""pyarrow: the same columns of every row group, decoded into Arrow arrays in this process."""

import argparse
import os

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.contestants.serve import serve


def main() -> None:
    """Read FOLDER's files in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--columns", required=True, help="names, with commas between them")
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--groups", type=int, default=1, help="row groups a call")
    parser.add_argument("--memory-map", action="store_true")
    parser.add_argument("--pre-buffer", action="store_true")
    parser.add_argument("--checksums", action="store_true", help="check the pages' checksums")
    options = parser.parse_args()
    pa.set_cpu_count(os.cpu_count() or 1)
    names = options.columns.split(",")
    files = [
        pq.ParquetFile(
            entry.path,
            memory_map=options.memory_map,
            pre_buffer=options.pre_buffer,
            page_checksum_verification=options.checksums,
        )
        for entry in sorted(os.scandir(options.folder), key=lambda entry: entry.name)
    ]
    chunk_bytes = [_chunk_bytes(file, set(names)) for file in files]

    def epoch() -> tuple[int, int]:
        rows = touched = 0
        for file in files:
            for first in range(0, file.num_row_groups, options.groups):
                groups = list(range(first, min(first + options.groups, file.num_row_groups)))
                table = file.read_row_groups(groups, columns=names, use_threads=True)
                for column in table.columns:
                    touched += column[0].is_valid
                rows += table.num_rows
        return rows, sum(chunk_bytes)

    serve(epoch, options.min_seconds)


def _chunk_bytes(file: pq.ParquetFile, names: set[str]) -> int:
    """Bytes of the columns' chunks in the file."""
    total = 0
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        chunks = (group.column(place) for place in range(group.num_columns))
        total += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names)
    return total


if __name__ == "__main__":
    main()
