# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""tf.data over TFRecords: read, batched, then parsed a batch at a time; both checksums of each record are checked."""

import argparse
import os

import tensorflow as tf

from benchmarks.contestants.serve import serve


def main() -> None:
    """Read FOLDER's files in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument(
        "--parallel-reads", type=int, default=0, help="0: one file after another; -1: as it thinks best"
    )
    parser.add_argument("--buffer-bytes", type=int)
    options = parser.parse_args()
    paths = sorted(entry.path for entry in os.scandir(options.folder))
    folder_bytes = sum(os.path.getsize(path) for path in paths)
    features = {"image": tf.io.FixedLenFeature([], tf.string), "size": tf.io.FixedLenFeature([], tf.int64)}
    reading = tf.data.Options()
    reading.deterministic = False
    data = (
        tf.data.TFRecordDataset(
            paths, buffer_size=options.buffer_bytes, num_parallel_reads=options.parallel_reads or None
        )
        .batch(options.batch_size, num_parallel_calls=tf.data.AUTOTUNE)
        .map(lambda records: tf.io.parse_example(records, features), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(reading)
    )

    def epoch() -> tuple[int, int]:
        samples = 0
        for batch in data:
            samples += int(batch["size"].shape[0])
        return samples, folder_bytes

    serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
