# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dl-driver's loader: every sample's arrays are taken as views, and one byte of each is read."""

import argparse
import json

from benchmarks.contestants.serve import serve
from dl_driver import open_loader


def main() -> None:
    """Read FOLDER (a path or URI) in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--format", choices=("npz", "npy", "tfrecord", "hdf5", "jpeg"), default="npz")
    parser.add_argument("--engine", choices=("auto", "ring", "threads"), default="auto")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--max-inflight", type=int)
    parser.add_argument("--readahead", type=int)
    parser.add_argument("--storage-options", type=json.loads, default={}, help="JSON")
    parser.add_argument("--samples-per-file", type=int, default=1)
    parser.add_argument("--shuffle", action="store_true")
    options = parser.parse_args()
    loader = open_loader(
        options.uri,
        format=options.format,
        engine=options.engine,
        batch_size=options.batch_size,
        workers=options.workers,
        max_inflight=options.max_inflight,
        readahead=options.readahead,
        shuffle=options.shuffle,
        storage_options=options.storage_options,
        samples_per_file=options.samples_per_file,
        strict_direct=True,
    )
    has_labels = options.format == "npz"
    name = {"tfrecord": "image", "hdf5": "records_0"}.get(options.format, "x")

    def epoch() -> tuple[int, int]:
        samples = num_bytes = touched = 0
        for batch in loader:
            for sample in batch:
                touched += int(sample[name].item(0))
                if has_labels:
                    touched += len(sample["y"])
            samples += len(batch)
            num_bytes += batch.nbytes
        return samples, num_bytes

    with loader:
        serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
