# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host process and its workers say to each other: small packets, positions and never data.

Each packet is one letter and its content. Packets of a hot path are packed by struct, the rare ones pickled.
"""

import pickle
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dl_driver import errors
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import ConfigError, DlDriverError, Problem
from dl_driver.formats.base import Layout
from dl_driver.metrics.stages import StageTotals
from dl_driver.storage.base import QueueReport

START, CREDIT, DRAIN, ASK = b"S", b"C", b"D", b"Q"
BATCH, LAYOUT, ERROR, DRAINED, REPORT = b"B", b"L", b"E", b"N", b"R"

MAX_PACKET = 1 << 17

_credit = struct.Struct("<II")
_batch = struct.Struct("<cIqIII")


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """Why a worker gave up."""

    kind: str
    """The error's class in dl_driver.errors."""
    message: str


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker did so far."""

    queue: QueueReport
    stages: StageTotals
    decoding: Mapping[str, int] = field(default_factory=dict)
    """See Format.report."""
    indexes: int = 0
    """Indexes of files that were read or made up."""
    index_ns: int = 0
    """From the first read for each until it was there, summed."""


def start(order: EpochOrder) -> bytes:
    """An epoch begins: every reader starts with its first batch."""
    return START + pickle.dumps(order)


def credits(pairs: Iterable[tuple[int, int]]) -> bytes:
    """(reader, slot): the reader may fill one more batch, into this slot."""
    return CREDIT + b"".join([_credit.pack(reader, slot) for reader, slot in pairs])


def read_credits(packet: bytes) -> Sequence[tuple[int, int]]:
    """The pairs in a CREDIT packet."""
    return list(_credit.iter_unpack(packet[1:]))


def batch(consumer: int, step: int, slot: int, count: int, runs: int = 0) -> bytes:
    """A batch of ``count`` samples lies ready in a slot; so many runs (slab.RUN) tell of them, 0: a record each."""
    return _batch.pack(BATCH, consumer, step, slot, count, runs)


def read_batch(packet: bytes) -> tuple[int, int, int, int, int]:
    """(consumer, step, slot, count, runs)."""
    _, consumer, step, slot, count, runs = _batch.unpack(packet)
    return consumer, step, slot, count, runs


def layout(number: int, content: Layout) -> bytes:
    """From now on, ``number`` in this worker's records means this layout."""
    return LAYOUT + pickle.dumps((number, content))


def pickled(letter: bytes, content: object) -> bytes:
    """A rare packet."""
    return letter + pickle.dumps(content)


def unpickled(packet: bytes) -> object:
    """The content of a rare packet; it comes from our own process."""
    return pickle.loads(memoryview(packet)[1:])


def failure_of(error: DlDriverError) -> WorkerFailure:
    """An error as a packet's content."""
    return WorkerFailure(type(error).__name__, str(error))


def error_of(failure: WorkerFailure) -> DlDriverError:
    """The error that a worker met, to be raised in the host process."""
    if failure.kind == ConfigError.__name__:
        return ConfigError([Problem("", failure.message)])
    kind = getattr(errors, failure.kind, errors.RunError)
    error: DlDriverError = kind(failure.message)
    return error
