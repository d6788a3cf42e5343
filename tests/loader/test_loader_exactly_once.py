# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every sample once an epoch through the real pool, in this process and through worker processes."""

import io
from collections import Counter
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_driver.config import load
from dl_driver.dataset.order import EpochOrder
from dl_driver.loader.pool import WorkerPool
from dl_driver.loader.slab import RECORD
from dl_driver.metrics.record import Phase
from dl_driver.run.feeds import make_feed
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece

_store = count()


def deliver(pool: WorkerPool, order: EpochOrder) -> list[list[tuple[int, int]]]:
    """An epoch as accelerators take it: each consumer's samples in the order of its steps."""
    pool.start(order)
    taken: list[list[tuple[int, int]]] = [[] for _ in range(pool.plan.consumers)]
    for step in range(order.steps):
        held = []
        for consumer in range(pool.plan.consumers):
            while step not in pool.ready(consumer):
                pool.pump(10_000_000_000)
            ready = pool.take(consumer, step)
            records = np.frombuffer(pool.records(ready), RECORD)
            taken[consumer] += zip(records["file"].tolist(), records["sample"].tolist(), strict=True)
            held.append(ready)
        pool.took(held, held)
    return taken


def in_memory(files: int, samples: int) -> str:
    """A data set that NumPy wrote."""
    uri = f"memory://exactly-once-{next(_store)}"
    storage = open_storage(uri)
    width = len(str(files))
    for number in range(files):
        out = io.BytesIO()
        np.savez(out, x=np.full((8, 8, samples), number, np.uint8), y=np.zeros(samples, np.int64))
        storage.put(f"train/img_{number:0{width}d}_of_{files}.npz", [Piece(0, out.getvalue())])
    return uri


@settings(deadline=None, max_examples=60)
@given(
    files=st.integers(1, 25),
    samples=st.integers(1, 4),
    batch=st.integers(1, 7),
    accelerators=st.integers(1, 4),
    readers=st.integers(1, 5),
    prefetch=st.integers(1, 5),
    shuffle=st.sampled_from(["off", "seed"]),
    drop_last=st.booleans(),
)
def test_every_sample_comes_once(
    files: int, samples: int, batch: int, accelerators: int, readers: int, prefetch: int, shuffle: str, drop_last: bool
) -> None:
    steps = files * samples // batch // accelerators
    if not steps:
        return
    wishes = [
        "dataset.format=npz",
        f"dataset.data_folder={in_memory(files, samples)}",
        f"dataset.num_files_train={files}",
        f"dataset.num_samples_per_file={samples}",
        "dataset.record_length_bytes=64",
        f"reader.batch_size={batch}",
        f"reader.read_threads={readers}",
        f"reader.prefetch_size={prefetch}",
        f"reader.sample_shuffle={shuffle}",
        f"reader.drop_last={drop_last}",
    ]
    workload = load("cosmoflow_h100", [*wishes, "dataset.record_length_bytes_stdev=0"]).workload
    feed = make_feed(workload, Phase.TRAIN, accelerators, seed=7)
    pool = WorkerPool(feed.plan)
    try:
        for number in (1, 2):
            seen = Counter(one for taken in deliver(pool, feed.order.reseeded(number)) for one in taken)
            assert max(seen.values()) == 1
            assert seen.total() == (steps * batch * accelerators if drop_last else files * samples)
    finally:
        pool.close()


def test_the_order_is_the_same_for_any_number_of_workers() -> None:
    orders = []
    for workers in (1, 2, 5):
        wishes = [
            "dataset.format=npz",
            "dataset.data_folder='null://'",
            "dataset.num_files_train=50",
            "dataset.record_length_bytes=64",
            "dataset.record_length_bytes_stdev=0",
            "reader.batch_size=4",
            "reader.read_threads=5",
            f"reader.workers={workers}",
            "reader.sample_shuffle=seed",
        ]
        feed = make_feed(load("cosmoflow_h100", wishes).workload, Phase.TRAIN, accelerators=3, seed=3)
        assert feed.plan.workers == workers
        pool = WorkerPool(feed.plan)
        try:
            orders.append(deliver(pool, feed.order))
        finally:
            pool.close()
    assert orders[0] == orders[1] == orders[2]
