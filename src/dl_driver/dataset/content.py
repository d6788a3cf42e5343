# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of generated samples: a function of (seed, file, offset), so any of them can be checked later.

A pool of random bytes is made once of the seed. A file's content is that pool again and again, each time XORed with a
64-bit word that is a hash of the file and of how many times it came before. So no stretch of eight bytes or more is
likely to come again within a data set, nothing compresses, and it is made about as fast as memory is filled. Floats
are kept finite.

Where a workload says how well its data compress and deduplicate (``Shape``), the end of each cell of 4 KiB is zeros,
and regions come several times: the same region of files next to each other, or regions of a file one after another.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_POOL_BYTES = 1 << 18
"""Fits a core's second-level cache."""
_WORD = 8
_U64 = 0xFFFFFFFFFFFFFFFF
_KEEP_FINITE = b"\xbf"
"""Clears the top bit of a float's exponent, which stands in its last byte: no infinities, no NaNs."""
_ZERO_OR_ONE = b"\x01"
_CELL = 4096
"""Bytes of which the last part is zeros, so that a block of this size has its share of them wherever it begins."""
_REGION = 1 << 20
"""Bytes that come again as a whole: more than a compressor looks back, and a multiple of any block that storage
compares."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What storage can make of the content."""

    compress_ratio: float = 1.0
    """Bytes for each byte that is left when a block of 4 KiB or more is compressed."""
    dedup_ratio: float = 1.0
    """Bytes for each byte that comes for the first time."""
    across: bool = True
    """Whether what comes again stands at the same place in other files, or farther on in the same file."""


INCOMPRESSIBLE = Shape()


class FileContent:
    """The content of one file; offsets count from its first sample's first byte."""

    def __init__(self, seed: int, file: int, dtype: str = "uint8", shape: Shape = INCOMPRESSIBLE) -> None:
        if shape.across:
            file = int(file // shape.dedup_ratio)
        self._mask = _mask_of(np.dtype(dtype))
        self._pool = _pool(seed, self._mask)
        self._key = int.from_bytes(hashlib.blake2b(f"{seed}/{file}".encode(), digest_size=8).digest(), "little")
        self._repeats = 1.0 if shape.across else shape.dedup_ratio
        self._kept = round(_CELL / shape.compress_ratio)
        """Bytes of a cell that are not zeros."""

    def fill(self, offset: int, into: memoryview) -> None:
        """The bytes from ``offset`` on."""
        if self._repeats > 1:
            self._fill_regions(offset, into)
        else:
            self._fill_once(offset, into)
        if self._kept < _CELL:
            _clear_ends(offset, np.frombuffer(into, np.uint8), self._kept)

    def _fill_regions(self, offset: int, into: memoryview) -> None:
        """Each region from the one that it repeats."""
        at = 0
        while at < len(into):
            region, start = divmod(offset + at, _REGION)
            count = min(_REGION - start, len(into) - at)
            self._fill_once(int(region // self._repeats) * _REGION + start, into[at : at + count])
            at += count

    def _fill_once(self, offset: int, into: memoryview) -> None:
        at = 0
        while at < len(into):
            block, start = divmod(offset + at, _POOL_BYTES)
            count = min(_POOL_BYTES - start, len(into) - at)
            self._fill_within_block(block, start, into[at : at + count])
            at += count

    def _fill_within_block(self, block: int, start: int, into: memoryview) -> None:
        """XOR the pool's whole words, wherever they go (NumPy takes any address, at half the speed where it is no
        word's), and the parts of a word before and behind them."""
        word, ahead = _mixed(self._key + block) & self._mask, min(len(into), -start % _WORD)
        words = (len(into) - ahead) // _WORD
        behind = ahead + words * _WORD
        if words:
            first = (start + ahead) // _WORD
            out = np.ndarray((words,), np.uint64, into, ahead)
            np.bitwise_xor(self._pool.words[first : first + words], np.uint64(word), out)
        if ahead:
            self._fill_part(word, start, into[:ahead])
        if behind < len(into):
            self._fill_part(word, start + behind, into[behind:])

    def _fill_part(self, word: int, start: int, into: memoryview) -> None:
        """Of one word."""
        count, phase = len(into), start % _WORD
        drawn = int.from_bytes(self._pool.data[start : start + count], "little")
        into[:] = (drawn ^ (word >> 8 * phase) & ((1 << 8 * count) - 1)).to_bytes(count, "little")


class _Pool(NamedTuple):
    """The same as words and as bytes."""

    words: NDArray[np.uint64]
    data: bytes


@lru_cache(maxsize=4)
def _pool(seed: int, mask: int) -> _Pool:
    """The pool of a seed, a mask laid on each of its words."""
    key = int.from_bytes(hashlib.blake2b(f"pool/{seed}".encode(), digest_size=16).digest(), "little")
    words = np.random.Philox(key=key).random_raw(_POOL_BYTES // _WORD) & np.uint64(mask)
    return _Pool(words, words.astype("<u8").tobytes())


def _clear_ends(offset: int, data: NDArray[np.uint8], kept: int) -> None:
    """Zeros from ``kept`` on in every cell; ``data`` begins at ``offset`` of the content."""
    ahead = -offset % _CELL
    data[max(0, ahead - (_CELL - kept)) : ahead] = 0
    cells = max(0, len(data) - ahead) // _CELL
    end = ahead + cells * _CELL
    data[ahead:end].reshape(cells, _CELL)[:, kept:] = 0
    data[end + kept :] = 0


def _mixed(value: int) -> int:
    """SplitMix64 of Steele, Lea and Flood."""
    value = (value * 0x9E3779B97F4A7C15) & _U64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _U64
    return value ^ (value >> 31)


def _mask_of(dtype: "np.dtype[np.generic]") -> int:
    """What to AND with every word, so that elements of this type are sound: none has parts longer than a word. Laid
    on the pool and on the words, it need not be laid on the bytes."""
    if dtype.kind == "b":
        return int.from_bytes(_ZERO_OR_ONE * _WORD, "little")
    if dtype.kind in "fc":
        size = dtype.itemsize // (2 if dtype.kind == "c" else 1)
        assert size <= _WORD, "the configuration knows no wider floats"
        return int.from_bytes((b"\xff" * (size - 1) + _KEEP_FINITE) * (_WORD // size), "little")
    return _U64
