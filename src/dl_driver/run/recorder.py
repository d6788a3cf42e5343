# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stamps of a run, in arrays made before it starts; records of samples are digested many at a time."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.files import FileSet
from dl_driver.loader.slab import RECORD
from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.record import AccessOrder, Latencies, StepStamps

_MOST_PENDING = 1 << 16
"""Records of samples that are kept before they are digested."""
_FIRST = 10


class SampleLedger:
    """What is known of every sample delivered: latencies, order, counts."""

    def __init__(self, files: FileSet, samples_per_file: int) -> None:
        self._files, self._samples_per_file = files, samples_per_file
        self._read, self._first_byte, self._decode = Histogram(), Histogram(), Histogram()
        self.batch_wait = Histogram()
        self._order = hashlib.blake2b(digest_size=16)
        self._first: list[str] = []
        self._last_file = -1
        self.files_read = 0

    def digest(self, records: NDArray[np.void]) -> None:
        """Take in records in the order of delivery."""
        self._decode.record(records["decode_ns"])
        read = records[records["submitted_ns"] > 0]
        self._read.record(read["done_ns"] - read["submitted_ns"])
        first_byte = read["first_byte_ns"]
        known = first_byte >= 0
        if known.any():
            self._first_byte.record(first_byte[known] - read["submitted_ns"][known])
        pairs = np.stack([records["file"], records["sample"]], axis=1)
        self._order.update(pairs.tobytes())
        for file, sample in pairs[: _FIRST - len(self._first)].tolist():
            key = self._files.key(file)
            self._first.append(key if self._samples_per_file == 1 else f"{key}#{sample}")
        if len(read):
            self.files_read += self._files_in(read["file"])

    def _files_in(self, files: NDArray[np.int64]) -> int:
        """Files that these samples, the next in order, were read from."""
        if self._samples_per_file == 1:
            return len(files)
        before, self._last_file = self._last_file, int(files[-1])
        return int(np.count_nonzero(np.diff(files, prepend=before)))

    def latencies(self) -> Latencies:
        """See Latencies."""
        first_byte = self._first_byte if self._first_byte.count else None
        return Latencies(self._read, first_byte, self._decode, self.batch_wait, None)

    def access_order(self) -> AccessOrder:
        """See AccessOrder."""
        return AccessOrder(tuple(self._first), self._order.hexdigest())


class BlockRecorder:
    """Stamps of one block; ``ledger`` is None where samples are not entered (evaluation)."""

    def __init__(self, steps: int, accelerators: int, ledger: SampleLedger | None) -> None:
        shape = (max(steps, 1), accelerators)
        self.wait_ns, self.compute_ns, self.barrier_ns, self.end_ns = (np.zeros(shape, np.int64) for _ in range(4))
        self._samples, self._bytes, self._decode_ns = (np.zeros(shape, np.int64) for _ in range(3))
        self._ledger = ledger
        self._records: list[bytes] = []
        self._places: list[tuple[int, int, int]] = []
        self._pending = 0

    def batch(self, step: int, accelerator: int, count: int, records: bytes) -> None:
        """A batch's records, in the order in which batches were taken."""
        self._records.append(records)
        self._places.append((step, accelerator, count))
        self._pending += count

    @property
    def is_full(self) -> bool:
        """Whether so much is pending that it should be digested now."""
        return self._pending >= _MOST_PENDING

    def flush(self) -> None:
        """Digest what is pending."""
        if not self._records:
            return
        records = np.frombuffer(b"".join(self._records), RECORD)
        places = np.array(self._places)
        counts = places[:, 2]
        batch_of = np.repeat(np.arange(len(counts)), counts)
        where = (places[:, 0], places[:, 1])
        self._samples[where] = counts
        self._bytes[where] = _sums(records["read_bytes"], batch_of, len(counts))
        self._decode_ns[where] = _sums(records["decode_ns"], batch_of, len(counts))
        if self._ledger is not None:
            self._ledger.digest(records)
        self._records.clear()
        self._places.clear()
        self._pending = 0

    def stamps(self, steps: int) -> StepStamps:
        """The first ``steps`` steps, which really ended."""
        self.flush()
        if self._ledger is not None:
            self._ledger.batch_wait.record(self.wait_ns[:steps].ravel())
        return StepStamps(
            wait_ns=self.wait_ns[:steps],
            compute_ns=self.compute_ns[:steps],
            barrier_ns=self.barrier_ns[:steps],
            samples=self._samples[:steps],
            bytes=self._bytes[:steps],
            decode_ns=self._decode_ns[:steps],
            end_ns=self.end_ns[:steps],
        )


def _sums(values: NDArray[np.int64], group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """The sum of the values of each group."""
    sums = np.zeros(groups, np.int64)
    np.add.at(sums, group, values)
    return sums
