# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One piece of shared memory for a host process and its workers.

It has no name: the workers inherit its descriptor, and it is gone with the last process that holds it. It holds a
status word a reader, then the slots; a slot holds one batch: a record a sample, then the samples' bytes.
"""

import ctypes
import mmap
import os
import struct

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import ConfigError, Problem
from dl_driver.loader.plan import LoaderPlan

_PAGE = 4096

RECORD = np.dtype(
    [
        ("file", "<i8"),
        ("sample", "<i8"),
        ("start", "<i8"),
        ("length", "<i8"),
        ("read_bytes", "<i8"),
        ("submitted_ns", "<i8"),
        ("first_byte_ns", "<i8"),
        ("done_ns", "<i8"),
        ("decode_ns", "<i8"),
        ("layout", "<i8"),
    ]
)
"""A sample in a slot: ``length`` bytes lie from ``start`` of the slot's data on, ``read_bytes`` came from storage;
first_byte_ns is -1 where it was not measured, submitted_ns 0 where nothing was read."""
PACK_RECORD = struct.Struct("<10q").pack_into

RUN = np.dtype([*RECORD.descr, ("position", "<i8"), ("count", "<i8"), ("stride", "<i8")])
"""``count`` samples that follow one another in their file and, from ``position`` on, in the batch, ``stride`` bytes
apart in the slot (0: they share their bytes). What was read and how long decoding took is of all of them together."""
PACK_RUN = struct.Struct(f"<{len(RUN.names or ())}q").pack_into
_OPAQUE = f"V{RECORD.itemsize}"
"""A record as plain bytes, which are copied many times as fast as ten fields."""

IDLE = -1
"""A reader's status word when it reads nothing; otherwise the file's number."""


def round_up(value: int, multiple: int) -> int:
    """The next multiple that is not smaller."""
    return -(-value // multiple) * multiple


def records_of(runs: "NDArray[np.void]") -> "NDArray[np.void]":
    """The records of runs that make up a batch, in the order of the batch."""
    runs = runs[np.argsort(runs["position"])]
    counts = runs["count"]
    heads = np.zeros(len(runs), RECORD)
    for name in RECORD.names or ():
        heads[name] = runs[name]
    shared = {name: np.divmod(runs[name], counts) for name in ("read_bytes", "decode_ns")}
    for name, (share, _) in shared.items():
        heads[name] = share
    records = np.repeat(heads.view(_OPAQUE), counts).view(RECORD)
    firsts = np.cumsum(counts) - counts
    within = np.arange(len(records)) - np.repeat(firsts, counts)
    records["sample"] += within
    if runs["stride"].any():
        records["start"] += within * np.repeat(runs["stride"], counts)
    for name, (_, rest) in shared.items():
        records[name][firsts] += rest
    return records


class Slab:
    """The memory and where things lie in it."""

    def __init__(self, plan: LoaderPlan, descriptor: int | None = None) -> None:
        """Makes the memory, or maps that of another process. Raises ConfigError where there is not enough."""
        self.header_bytes = round_up(plan.batch_size * RECORD.itemsize, _PAGE)
        self.data_bytes = round_up(plan.batch_size * plan.stride, _PAGE)
        self.slot_bytes = self.header_bytes + self.data_bytes
        self._slots_start = round_up(plan.num_readers * 8, _PAGE)
        self.size = self._slots_start + plan.consumers * plan.slots * self.slot_bytes
        self.descriptor = self._create() if descriptor is None else descriptor
        self.memory = mmap.mmap(self.descriptor, self.size)
        self.view = memoryview(self.memory)
        self.status = self.view[: plan.num_readers * 8].cast("q")
        """A word a reader, written by the worker that runs it."""
        if descriptor is None:
            for reader in range(plan.num_readers):
                self.status[reader] = IDLE

    def _create(self) -> int:
        descriptor = os.memfd_create("dl-driver", os.MFD_CLOEXEC)
        available = _available_memory()
        if available is not None and self.size > available:
            os.close(descriptor)
            message = (
                f"the batches in flight need {self.size / 2**30:,.1f} GiB of memory, {available / 2**30:.1f} GiB are"
                " available: use a smaller reader.batch_size, reader.prefetch_size or reader.read_threads, or let"
                " batches carry a crop (dataset.record_length_bytes_resize)"
            )
            raise ConfigError([Problem("reader.batch_size", message)])
        os.ftruncate(descriptor, self.size)
        return descriptor

    def header_offset(self, slot: int) -> int:
        """Where a slot's records begin."""
        return self._slots_start + slot * self.slot_bytes

    def data_offset(self, slot: int) -> int:
        """Where a slot's samples begin; page-aligned."""
        return self.header_offset(slot) + self.header_bytes

    def records(self, slot: int, count: int) -> bytes:
        """A copy of a slot's first records, to be read with the dtype RECORD."""
        start = self.header_offset(slot)
        return bytes(self.view[start : start + count * RECORD.itemsize])

    def runs(self, slot: int, count: int) -> "NDArray[np.void]":
        """A copy of a slot's first runs, in its stead; of dtype RUN."""
        return np.frombuffer(self.view, RUN, count, self.header_offset(slot)).copy()

    def data(self, slot: int) -> "ctypes.Array[ctypes.c_ubyte]":
        """A slot's samples, as an object whose life can be watched; it keeps the memory mapped."""
        return (ctypes.c_ubyte * self.data_bytes).from_buffer(self.memory, self.data_offset(slot))

    def close(self) -> None:
        """Give the descriptor back; the mapping lives as long as views of it do."""
        os.close(self.descriptor)


def _available_memory() -> int | None:
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
