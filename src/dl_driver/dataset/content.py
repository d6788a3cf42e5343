# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of generated samples: a function of (seed, file, offset), so any of them can be checked later.

They are the keystream of AES-128 in counter mode under a key made from the seed and the file's number: incompressible,
unlike from file to file, and made about as fast as memory is filled. Floats are kept finite.
"""

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

_BLOCK = 16
_ZEROS = memoryview(bytes(1 << 18))
_KEEP_FINITE = 0xBF
"""Clears the top bit of a float's exponent, which stands in its last byte: no infinities, no NaNs."""
_ZERO_OR_ONE = 0x01


class FileContent:
    """The content of one file; offsets count from its first sample's first byte. Quickest when read in order."""

    def __init__(self, seed: int, file: int, dtype: str = "uint8") -> None:
        self._key = hashlib.blake2b(f"{seed}/{file}".encode(), digest_size=16).digest()
        self._mask, self._stride = _mask_of(np.dtype(dtype))
        self._stream, self._next = self._stream_from(0), 0
        """The keystream, and the offset it stands at."""

    def fill(self, offset: int, into: memoryview) -> None:
        """The bytes from ``offset`` on."""
        if offset != self._next:
            self._stream = self._stream_from(offset)
        for at in range(0, len(into), len(_ZEROS)):
            part = into[at : at + len(_ZEROS)]
            self._stream.update_into(_ZEROS[: len(part)], part)
            if self._mask is not None:
                masked = np.frombuffer(part, np.uint8)[(-1 - offset - at) % self._stride :: self._stride]
                np.bitwise_and(masked, self._mask, out=masked)
        self._next = offset + len(into)

    def _stream_from(self, offset: int) -> CipherContext:
        block, skip = divmod(offset, _BLOCK)
        stream = Cipher(algorithms.AES(self._key), modes.CTR(block.to_bytes(_BLOCK, "big"))).encryptor()
        stream.update(_ZEROS[:skip])
        return stream


def _mask_of(dtype: "np.dtype[np.generic]") -> tuple[int | None, int]:
    """What to AND, and into the last of how many bytes; None where every byte will do."""
    if dtype.kind == "b":
        return _ZERO_OR_ONE, 1
    if dtype.kind in "fc":
        return _KEEP_FINITE, dtype.itemsize // (2 if dtype.kind == "c" else 1)
    return None, 1
