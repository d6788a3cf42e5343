# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every sample exactly once an epoch, whatever the numbers."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_driver.dataset.order import EpochOrder, Permutation

orders = st.builds(
    EpochOrder,
    num_files=st.integers(1, 300),
    samples_per_file=st.integers(1, 20),
    ranks=st.integers(1, 12),
    batch_size=st.integers(1, 40),
    file_shuffle=st.booleans(),
    sample_shuffle=st.booleans(),
    seed=st.integers(0, 2**63),
    drop_last=st.booleans(),
)
Sample = tuple[int, int]


def batch(order: EpochOrder, rank: int, step: int) -> list[Sample]:
    files, samples = order.batch(rank, step)
    return list(zip(files.tolist(), samples.tolist(), strict=True))


def epoch(order: EpochOrder) -> list[Sample]:
    return [one for rank in range(order.ranks) for step in range(order.steps) for one in batch(order, rank, step)]


def everything(order: EpochOrder) -> Counter[Sample]:
    return Counter((file, sample) for file in range(order.num_files) for sample in range(order.samples_per_file))


@settings(deadline=None)
@given(orders)
def test_steps_are_counted_as_dlio_counts_them(order: EpochOrder) -> None:
    """floor(samples per file * files / batch / accelerators)"""
    order = replace(order, drop_last=True)
    assert order.steps == int(order.samples_per_file * order.num_files / order.batch_size / order.ranks)
    assert all(
        len(batch(order, rank, step)) == order.batch_size for rank in range(order.ranks) for step in range(order.steps)
    )


@settings(deadline=None)
@given(orders)
def test_no_sample_comes_twice_and_none_that_is_not_there(order: EpochOrder) -> None:
    seen = Counter(epoch(order))
    assert not seen - everything(order)
    if order.drop_last:
        assert seen.total() == order.steps * order.batch_size * order.ranks


@settings(deadline=None)
@given(orders)
def test_without_drop_last_every_sample_comes_once(order: EpochOrder) -> None:
    order = replace(order, drop_last=False)
    assert Counter(epoch(order)) == everything(order)


@settings(deadline=None)
@given(orders, st.integers(0, 50))
def test_an_epoch_is_a_function_of_seed_and_number(order: EpochOrder, number: int) -> None:
    assert epoch(order.reseeded(number)) == epoch(replace(order).reseeded(number))


@settings(deadline=None)
@given(orders)
def test_shuffling_leaves_files_whole_where_only_they_are_shuffled(order: EpochOrder) -> None:
    order = replace(order, file_shuffle=True, sample_shuffle=False, drop_last=False, ranks=1)
    samples = epoch(order)
    chunks = [samples[at : at + order.samples_per_file] for at in range(0, len(samples), order.samples_per_file)]
    assert all(len({file for file, _ in chunk}) == 1 for chunk in chunks)


def test_seeds_and_epochs_differ() -> None:
    """Two shuffles of 2,000 samples agree in about one position, never in a tenth of them."""
    order = EpochOrder(2000, 1, 1, 10, sample_shuffle=True, seed=1)
    others = [replace(order, seed=2), order.reseeded(1), order.reseeded(2)]
    first = epoch(order)
    for other in others:
        assert sum(one == two for one, two in zip(first, epoch(other), strict=True)) < 200


@settings(deadline=None)
@given(
    files=st.integers(1, 9),
    per_file=st.integers(1, 5),
    unit=st.sampled_from((2, 3, 64, 100)),
    batch_size=st.integers(1, 300),
    file_shuffle=st.booleans(),
    seed=st.integers(0, 2**63),
)
def test_a_shuffle_leaves_units_together(
    *, files: int, per_file: int, unit: int, batch_size: int, file_shuffle: bool, seed: int
) -> None:
    order = EpochOrder(files, per_file * unit, 1, batch_size, file_shuffle, True, seed, False, unit)
    samples = epoch(order)
    assert Counter(samples) == everything(order)
    for start in range(0, len(samples), unit):
        file, first = samples[start]
        assert first % unit == 0
        assert samples[start : start + unit] == [(file, first + number) for number in range(unit)]


@pytest.mark.parametrize("size", [2, 3, 5, 64, 1000, 10**9 + 7])
def test_few_positions_are_computed_as_many_are(size: int) -> None:
    permutation = Permutation(size, 12345)
    positions = np.arange(min(size, 200)) * max(1, size // 200)
    whole = permutation(positions)
    parts = np.concatenate([permutation.computed(positions[at : at + 3]) for at in range(0, len(positions), 3)])
    assert np.array_equal(whole, parts)
