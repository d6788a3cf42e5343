# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which answers a fault proxy breaks, and how: a pure function of a seed and the answer's number."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One way in which an answer goes wrong."""

    LATENCY = "latency"
    """The answer comes late, by latency_s."""
    BANDWIDTH = "bandwidth"
    """The body comes at bytes_per_second."""
    RESET = "reset"
    """The connection is reset (RST) in the middle of the body."""
    TRUNCATE = "truncate"
    """The connection closes in an orderly way in the middle of the body."""
    STALL_BODY = "stall_body"
    """The body stops in the middle for stall_s, then the connection closes."""
    STALL_START = "stall_start"
    """Nothing comes for stall_s, then the connection closes."""
    INTERNAL_ERROR = "500"
    """500 Internal Server Error."""
    SLOW_DOWN = "503"
    """503 with the error SlowDown."""
    TOO_MANY_REQUESTS = "429"
    """429 Too Many Requests."""
    WRONG_RANGE = "wrong_range"
    """206 with as many bytes as were asked for, of another range, and a Content-Range that says so."""
    ERROR_IN_SUCCESS = "error_in_success"
    """200 with an error document as its body."""


REPLACED = (Fault.INTERNAL_ERROR, Fault.SLOW_DOWN, Fault.TOO_MANY_REQUESTS, Fault.ERROR_IN_SUCCESS)
"""The answer is another one than the server's."""
CUT = (Fault.RESET, Fault.TRUNCATE, Fault.STALL_BODY)
"""The server's answer ends in the middle of its body."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What goes wrong, and how often."""

    kinds: Sequence[Fault] = ()
    """Each broken answer is broken in one of these ways, all equally often."""
    share: float = 0.01
    """Of all answers to the methods below; 1.0 breaks each."""
    seed: int = 0
    methods: frozenset[str] = frozenset({"GET"})
    """Answers to other methods are left alone."""
    latency_s: float = 0.1
    bytes_per_second: float = 1e6
    stall_s: float = 30.0

    def fault_of(self, number: int) -> Fault | None:
        """What happens to the answer with this number, counted from 0 over all connections; None: nothing."""
        if not self.kinds:
            return None
        digest = hashlib.blake2b(f"{self.seed}/{number}".encode(), digest_size=12).digest()
        if int.from_bytes(digest[:8]) >= self.share * 2**64:
            return None
        return self.kinds[int.from_bytes(digest[8:]) % len(self.kinds)]


@dataclass(frozen=True, slots=True)
class FaultCounts:
    """What a proxy did so far."""

    answers: int
    """To the plan's methods, broken or not."""
    broken: dict[Fault, int]
    """Answers that went wrong, by kind; a fault that met an answer without a body, where there is nothing to
    break, is not among them."""

    @property
    def total_broken(self) -> int:
        """Of all kinds."""
        return sum(self.broken.values())
