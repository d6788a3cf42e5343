# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel gives: the same columns' chunks by preadv() into memory that is used again, by a process a core, and
nothing else. Touching chunks are one call."""

import argparse
import mmap
import os
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.contestants.serve import serve
from dl_driver.formats.parquet_table import columns_of, table_of
from dl_driver.formats.parquet_write import plain_chunks

Spans = list[tuple[int, int]]
_MEMORY_BYTES = 8 << 20


def main() -> None:
    """Read FOLDER's files, which WORKLOAD describes, in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("folder")
    parser.add_argument("--rows", type=int, required=True, help="of each file")
    parser.add_argument("--min-seconds", type=float, required=True)
    options = parser.parse_args()
    spans = _spans(options.workload, options.rows)
    paths = sorted(entry.path for entry in os.scandir(options.folder))
    count = len(os.sched_getaffinity(0))
    context, channels = get_context("spawn"), []
    for number in range(count):
        ours, theirs = context.Pipe()
        context.Process(target=_read, args=(theirs, paths[number::count], spans), daemon=True).start()
        channels.append(ours)

    def epoch() -> tuple[int, int]:
        for channel in channels:
            channel.send(None)
        return len(paths) * options.rows, sum(channel.recv() for channel in channels)

    epoch()
    serve(epoch, options.min_seconds)


def _spans(workload: str, rows: int) -> Spans:
    from dl_driver.config import load
    from dl_driver.dataset.files import training_files

    parquet = load(workload, [f"dataset.num_samples_per_file={rows}"]).workload
    table = table_of(columns_of(parquet.dataset.parquet), parquet.dataset.parquet, training_files(parquet).record(0))
    spans: Spans = []
    for number, (offset, length, _) in enumerate(plain_chunks(table, rows)):
        if not table.columns[number % len(table.columns)].read:
            continue
        if spans and sum(spans[-1]) == offset:
            spans[-1] = (spans[-1][0], spans[-1][1] + length)
        else:
            spans.append((offset, length))
    return spans


def _read(channel: "Connection[Any, Any]", paths: list[str], spans: Spans) -> None:
    memory, at = memoryview(mmap.mmap(-1, _MEMORY_BYTES)), 0
    files = [os.open(path, os.O_RDONLY) for path in paths]
    while True:
        try:
            channel.recv()
        except EOFError:
            return
        total = 0
        for file in files:
            for offset, length in spans:
                if at + length > len(memory):
                    at = 0
                total += os.preadv(file, (memory[at : at + length],), offset)
                at += length
        channel.send(total)


if __name__ == "__main__":
    main()
