# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3dlio, by ``get_many`` or by its loader, each object opened with numpy.load unless told to leave it as bytes."""

import argparse
import io
import os
from collections.abc import Iterable, Iterator

import numpy as np
import s3dlio

from benchmarks.contestants.serve import serve

Data = memoryview


def by_get_many(folder: str, depth: int, batch_size: int) -> Iterator[Data]:
    """Calls of a bounded number of objects: in larger ones, putting the results in order takes most of the time."""
    uris = sorted(f"file://{entry.path}" for entry in os.scandir(folder))
    for start in range(0, len(uris), batch_size):
        for _, data in s3dlio.get_many(uris[start : start + batch_size], max_in_flight=depth):
            yield memoryview(data)


def by_loader(folder: str, depth: int, batch_size: int) -> Iterator[Data]:
    """Its synchronous iteration, which has ``prefetch`` objects under way."""
    loader = s3dlio.create_async_loader(f"file://{folder}/", {"prefetch": depth, "batch_size": batch_size})
    for data in loader:
        yield memoryview(data)


WAYS = {"get_many": by_get_many, "loader": by_loader}


def touch(objects: Iterable[Data], decode: bool) -> tuple[int, int]:
    """Open every object and read one byte of its first array; returns how many and their bytes."""
    samples = num_bytes = touched = 0
    for data in objects:
        if decode:
            arrays = np.load(io.BytesIO(data))
            touched += int(arrays["x"].item(0)) + len(arrays["y"])
        else:
            touched += data[0]
        samples += 1
        num_bytes += len(data)
    return samples, num_bytes


def main() -> None:
    """Read FOLDER in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--bytes-only", action="store_true")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    read = WAYS[options.way]
    serve(lambda: touch(read(folder, options.depth, options.batch_size), not options.bytes_only), options.min_seconds)


if __name__ == "__main__":
    main()
