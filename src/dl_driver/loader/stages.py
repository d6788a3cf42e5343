# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's watch: what its loop waited for, how long decoding took, and how much of that was on a processor.

Waits are stamped once a turn of the loop. The clock of CPU time is a call of the kernel and costs more than a
microsecond, as much as to check a small sample, so it is read around one decoding a millisecond at most.
"""

from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import ParamSpec, TypeVar

from dl_driver.metrics.stages import StageTotals

_SAMPLE_EVERY_NS = 1_000_000
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class StageWatch:
    """Made by the thread whose time it tells. The loop and its filler count up the public numbers (ns) themselves."""

    def __init__(self) -> None:
        self._begun_ns, self._begun_cpu_ns = perf_counter_ns(), thread_time_ns()
        self.read_ns = self.idle_ns = 0
        """Waits with nothing but reads under way, and with nothing at all."""
        self.decode_ns = self.copy_ns = 0
        self._shared_read_ns = self._preprocess_ns = self._place_ns = 0.0
        self._sample_from_ns = 0
        self._sampled_ns = self._sampled_cpu_ns = 0

    def waited(self, wait_ns: int, reading: int, preprocessing: int, without_place: int) -> None:
        """A wait in which so many samples (or runs of them) were being read, were being preprocessed, or could not be
        begun for want of a place."""
        each = wait_ns / (reading + preprocessing + without_place)
        self._shared_read_ns += each * reading
        self._preprocess_ns += each * preprocessing
        self._place_ns += each * without_place

    def decoding(
        self, decode: Callable[_Arguments, _Result], *args: _Arguments.args, **named: _Arguments.kwargs
    ) -> tuple[_Result, int]:
        """What ``decode`` returns, and how many nanoseconds it took."""
        sampled = self.sample_is_due()
        cpu_ns = thread_time_ns() if sampled else 0
        began_ns = perf_counter_ns()
        result = decode(*args, **named)
        decode_ns = perf_counter_ns() - began_ns
        if sampled:
            self.sample(decode_ns, thread_time_ns() - cpu_ns)
        self.decode_ns += decode_ns
        return result, decode_ns

    def sample_is_due(self) -> bool:
        """Whether the CPU time of the next decoding is to be taken; asked again at once, it is not."""
        now = perf_counter_ns()
        if now < self._sample_from_ns:
            return False
        self._sample_from_ns = now + _SAMPLE_EVERY_NS
        return True

    def sample(self, decode_ns: int, cpu_ns: int) -> None:
        """A decoding took so long, and so much of a processor."""
        self._sampled_ns += decode_ns
        self._sampled_cpu_ns += min(cpu_ns, decode_ns)

    def totals(self) -> StageTotals:
        """From the start until now."""
        return StageTotals(
            wall_ns=perf_counter_ns() - self._begun_ns,
            cpu_ns=thread_time_ns() - self._begun_cpu_ns,
            wait_read_ns=self.read_ns + int(self._shared_read_ns),
            wait_preprocess_ns=int(self._preprocess_ns),
            wait_place_ns=int(self._place_ns),
            wait_idle_ns=self.idle_ns,
            decode_ns=self.decode_ns,
            copy_ns=self.copy_ns,
            sampled_ns=self._sampled_ns,
            sampled_cpu_ns=self._sampled_cpu_ns,
        )
