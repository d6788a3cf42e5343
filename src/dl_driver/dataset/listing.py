# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a storage holds, listed once and kept small: sixteen bytes an object, whatever its name.

A name is kept as a hash of 64 bits. Two of ten million names share one with a chance of 1 in 300,000.
"""

import hashlib
from array import array
from collections.abc import Iterable

import numpy as np

from dl_driver.errors import NotFoundError
from dl_driver.storage.base import ObjectInfo


class Listing:
    """Sizes by name. Picklable."""

    def __init__(self, objects: Iterable[ObjectInfo]) -> None:
        hashes, sizes = array("Q"), array("q")
        for info in objects:
            hashes.append(_hash(info.key))
            sizes.append(info.size)
        found = np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)
        order = np.argsort(found, kind="stable")
        self._hashes = found[order]
        self._sizes = (np.frombuffer(sizes, np.int64) if sizes else np.empty(0, np.int64))[order]

    def __len__(self) -> int:
        return len(self._hashes)

    def stat(self, key: str) -> ObjectInfo:
        """As Storage.stat: raises NotFoundError where there was no such object."""
        wanted = np.uint64(_hash(key))
        at = int(np.searchsorted(self._hashes, wanted))
        if at == len(self._hashes) or self._hashes[at] != wanted:
            raise NotFoundError(f"{key} was not listed")
        return ObjectInfo(key, int(self._sizes[at]))


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
