# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where worker processes' time went, as it was measured.

A worker is one thread that does one thing at a time, or waits. Its waits are told apart by what its readers waited for;
decoding and copying are timed; the rest of its time follows (report/stages.py).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class StageTotals:
    """Nanoseconds, summed over workers. Where readers of one worker waited for different things at the same time, the
    wait is shared between these by how many samples each of them held up."""

    wall_ns: int = 0
    cpu_ns: int = 0
    """On a processor, the kernel's work for it included; of the thread that reads and decodes alone."""
    wait_read_ns: int = 0
    """In the storage queue's wait with reads in flight; the kernel may have worked for us in that time."""
    wait_preprocess_ns: int = 0
    """With samples that were taking their preprocess_time."""
    wait_place_ns: int = 0
    """With no place for another batch: accelerators had not taken those that were ready."""
    wait_idle_ns: int = 0
    """With nothing left to read."""
    decode_ns: int = 0
    """Checking and decoding."""
    copy_ns: int = 0
    """Cutting out what a batch carries, and copying it there; where a format decodes into the batch there is none."""
    sampled_ns: int = 0
    """Of decodings that the CPU clock was read around: how long they took ..."""
    sampled_cpu_ns: int = 0
    """... and how much of that on a processor. All decodings that last a millisecond are among them, and one a
    millisecond of the shorter ones, since reading that clock takes as long as to check a small sample."""

    def __sub__(self, before: "StageTotals") -> "StageTotals":
        """From then until now."""
        return StageTotals(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


def total_of(workers: Iterable[StageTotals]) -> StageTotals:
    """The sum."""
    columns = zip(*map(astuple, workers), strict=True)
    return StageTotals(*(sum(column) for column in columns))
