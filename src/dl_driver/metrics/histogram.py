# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histograms of durations: log-linear buckets of three significant digits, mergeable, of fixed size.

A bucket at value v is at most v/1024 wide, as in Gil Tene's HdrHistogram with 2048 sub-buckets.
"""

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

_SUB_BITS = 11
_HALF = 1 << (_SUB_BITS - 1)
_MAX_BITS = 42
_MAX = (1 << _MAX_BITS) - 1
"""4398 s; larger values count as this one."""
_BUCKETS = (_MAX_BITS - _SUB_BITS + 2) * _HALF


class Histogram:
    """Counts of nanoseconds."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self.count = 0
        self.total = 0
        self.min: int | None = None
        self.max: int | None = None

    def record(self, values: Int64) -> None:
        """Add values; negative ones count as 0."""
        if not len(values):
            return
        values = np.clip(values, 0, _MAX)
        self._counts += np.bincount(_bucket(values), minlength=_BUCKETS)
        self.count += len(values)
        self.total += int(values.sum())
        low, high = int(values.min()), int(values.max())
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)

    def merge(self, other: "Histogram") -> None:
        """Add another's values."""
        self._counts += other._counts
        self.count += other.count
        self.total += other.total
        lows = [low for low in (self.min, other.min) if low is not None]
        highs = [high for high in (self.max, other.max) if high is not None]
        self.min, self.max = min(lows, default=None), max(highs, default=None)

    @property
    def mean(self) -> float | None:
        """Nanoseconds; None when empty."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> int | None:
        """The value of nearest rank, ceil(percent/100 * count), as the highest its bucket holds; None when empty."""
        if not self.count or self.max is None:
            return None
        rank = max(1, int(np.ceil(percent / 100 * self.count)))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(_highest(bucket), self.max)


def _bucket(values: Int64) -> Int64:
    """Values below 2048 have a bucket each; above, each power of two has 1024."""
    exponent = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    # frexp rounds up the few values just below a power of two that float64 cannot hold; none do below 2**53.
    shift = np.maximum(exponent - _SUB_BITS, 0)
    buckets: Int64 = shift * _HALF + (values >> shift)
    return buckets


def _highest(bucket: int) -> int:
    if bucket < 2 * _HALF:
        return bucket
    shift = bucket // _HALF - 1
    return ((bucket - shift * _HALF + 1) << shift) - 1
