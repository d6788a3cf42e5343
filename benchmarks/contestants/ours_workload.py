# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dl-driver's loader with the training of a workload file: the batches that a run's accelerator gets, one byte of each
looked at."""

import argparse

from benchmarks.contestants.serve import serve
from dl_driver.config import load
from dl_driver.loader.loader import Loader
from dl_driver.run.feeds import Phase, make_feed


def main() -> None:
    """Read the data set of WORKLOAD in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--min-seconds", type=float, required=True)
    options, overrides = parser.parse_known_args()
    feed = make_feed(load(options.workload, overrides).workload, Phase.TRAIN, 1, seed=0)
    loader = Loader(feed.plan, feed.order, delivery_order="completion", reshuffle=False, timeout=None)

    def epoch() -> tuple[int, int]:
        samples = num_bytes = touched = 0
        for batch in loader:
            for array in batch[len(batch) - 1].values():
                touched += int(array.flat[0])
            samples += len(batch)
            num_bytes += batch.nbytes
        return samples, num_bytes

    with loader:
        serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
