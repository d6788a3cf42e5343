# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of samples in an epoch: a function of position, never a list, so ten million files cost no memory.

A shuffle is a keyed permutation: a Feistel network over the smallest even number of bits that holds the domain, walked
until it lands within it (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Every rank
computes any of its batches by itself.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

_ROUNDS = 8
"""Four suffice for many files; a handful of files needs more until every order comes up as often."""
_FEW = 8
"""Positions that are computed faster one by one."""
_SMALL = 4096
"""Of so many positions all are computed at once and kept."""
_BLOCK = 4096
"""Positions shuffled in one go, since NumPy spends as long on one as on hundreds."""
LARGE_UNIT = 64
"""Of such units few are shuffled at a time, so that keeping blocks would gain nothing, and batches are best told as
runs."""
_U64 = 0xFFFFFFFFFFFFFFFF


def mix(value: int) -> int:
    """The finaliser of SplitMix64: 64 well mixed bits."""
    value = (value + 0x9E3779B97F4A7C15) & _U64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _U64
    return value ^ (value >> 31)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A keyed permutation of range(size)."""

    size: int
    key: int

    def __call__(self, positions: Int64) -> Int64:
        """What stands at these positions, each within range(size)."""
        if self.size < 2:
            return positions
        if self.size <= _SMALL:
            return _table(self)[positions]
        return self.computed(positions)

    def computed(self, positions: Int64) -> Int64:
        """The same without a table."""
        half = ((self.size - 1).bit_length() + 1) // 2
        if len(positions) <= _FEW:
            return np.array([self._one(position, half) for position in positions.tolist()], np.int64)
        mapped = self._feistel(positions.astype(np.uint64), half)
        while (outside := mapped >= self.size).any():
            mapped[outside] = self._feistel(mapped[outside], half)
        return mapped.astype(np.int64)

    def _one(self, position: int, half: int) -> int:
        """The same for one position: of a few, each operation on an array costs more than its elements."""
        mask, keys = (1 << half) - 1, _keys(self.key)
        mapped = self.size
        while mapped >= self.size:
            left, right = position >> half, position & mask
            for key in keys:
                left, right = right, left ^ (_mix_bits(right ^ key) & mask)
            position = mapped = left << half | right
        return mapped

    def _feistel(self, values: UInt64, half: int) -> UInt64:
        shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
        left, right = values >> shift, values & mask
        for number in range(_ROUNDS):
            left, right = right, left ^ (_mix_array(right ^ np.uint64(mix(self.key + number))) & mask)
        return left << shift | right


@lru_cache(maxsize=8)
def _table(permutation: Permutation) -> Int64:
    """All of a small one."""
    return permutation.computed(np.arange(permutation.size))


@lru_cache(maxsize=64)
def _keys(key: int) -> tuple[int, ...]:
    """Of each round."""
    return tuple(mix(key + number) for number in range(_ROUNDS))


def _mix_bits(value: int) -> int:
    """As _mix_array."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _U64
    return value ^ (value >> 31)


def _mix_array(values: UInt64) -> UInt64:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class SampleRun(NamedTuple):
    """Samples that follow one another in a file and in a batch."""

    file: int
    first: int
    """The first one's number within the file."""
    length: int


@dataclass(frozen=True, slots=True)
class EpochOrder:
    """Which samples make up each batch of an epoch.

    Rank r owns the positions from r*total//ranks to (r+1)*total//ranks of the shuffled samples, so that each has at
    least floor(total/ranks) and the steps that DLIO counts, floor(total / batch / ranks), never run short.
    """

    num_files: int
    samples_per_file: int
    ranks: int
    batch_size: int
    file_shuffle: bool = False
    sample_shuffle: bool = False
    seed: int = 0
    drop_last: bool = True
    shuffle_unit: int = 1
    """Samples that a shuffle leaves together, such as a Parquet row group's; divides samples_per_file."""

    @property
    def total(self) -> int:
        """Samples in the data set."""
        return self.num_files * self.samples_per_file

    @property
    def steps(self) -> int:
        """Batches a rank has in the epoch; the same for all."""
        if self.drop_last:
            return self.total // self.batch_size // self.ranks
        largest = -(-self.total // self.ranks)
        return -(-largest // self.batch_size)

    def batch(self, rank: int, step: int) -> tuple[Int64, Int64]:
        """Files, and the samples within them, of one batch; short or empty only at the end and without drop_last."""
        return self._samples_at(*self._positions(rank, step))

    def batch_runs(self, rank: int, step: int) -> list[SampleRun]:
        """The same as runs, at most one a shuffle unit, for large units."""
        start, end = self._positions(rank, step)
        if start >= end:
            return []
        unit = self.shuffle_unit
        first = start // unit
        files, units = self._units_at(first, -(-end // unit))
        runs: list[SampleRun] = []
        for number, (file, within) in enumerate(zip(files.tolist(), units.tolist(), strict=True), first):
            skipped = max(0, start - number * unit)
            run = SampleRun(file, within * unit + skipped, min(unit, end - number * unit) - skipped)
            last = runs[-1] if runs else None
            if last is not None and last.file == file and last.first + last.length == run.first:
                runs[-1] = last._replace(length=last.length + run.length)
            else:
                runs.append(run)
        return runs

    def _positions(self, rank: int, step: int) -> tuple[int, int]:
        """Of a batch among all shuffled samples."""
        start = rank * self.total // self.ranks
        end = (rank + 1) * self.total // self.ranks
        first = min(start + step * self.batch_size, end)
        return first, min(first + self.batch_size, end)

    def _samples_at(self, start: int, end: int) -> tuple[Int64, Int64]:
        """What stands at these positions, from blocks that are kept."""
        if start >= end or self.shuffle_unit >= LARGE_UNIT or not (self.file_shuffle or self.sample_shuffle):
            return self.shuffled(start, end)
        numbers = range(start // _BLOCK, (end - 1) // _BLOCK + 1)
        if len(numbers) == 1:
            files, samples = _block(self, numbers[0])
        else:
            blocks = [_block(self, number) for number in numbers]
            files, samples = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        offset = numbers[0] * _BLOCK
        return files[start - offset : end - offset], samples[start - offset : end - offset]

    def shuffled(self, start: int, end: int) -> tuple[Int64, Int64]:
        """What stands at these positions, computed."""
        unit = self.shuffle_unit
        files, firsts = self._units_at(start // unit, -(-end // unit))
        if unit == 1:
            return files, firsts
        samples = (firsts[:, np.newaxis] * unit + np.arange(unit)).ravel()
        skipped = start - start // unit * unit
        wanted = slice(skipped, skipped + end - start)
        return np.repeat(files, unit)[wanted], samples[wanted]

    def _units_at(self, start: int, end: int) -> tuple[Int64, Int64]:
        """Files of shuffled units, and each one's number within its file."""
        units = np.arange(start, end, dtype=np.int64)
        if self.sample_shuffle:
            units = Permutation(self.total // self.shuffle_unit, mix(self.seed))(units)
        files, within = np.divmod(units, self.samples_per_file // self.shuffle_unit)
        if self.file_shuffle:
            files = Permutation(self.num_files, mix(self.seed ^ 0x66696C65))(files)
        return files, within

    def reseeded(self, epoch: int) -> "EpochOrder":
        """The order of another epoch of the same seed."""
        return replace(self, seed=mix((self.seed << 20) + epoch))


@lru_cache(maxsize=128)
def _block(order: EpochOrder, number: int) -> tuple[Int64, Int64]:
    """The samples at one block's positions; kept for the ranks of a host, each of which walks through its own."""
    files, samples = order.shuffled(number * _BLOCK, min((number + 1) * _BLOCK, order.total))
    files.setflags(write=False)
    samples.setflags(write=False)
    return files, samples
