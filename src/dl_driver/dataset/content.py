# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of generated samples: a function of (seed, file, offset), so any of them can be checked later.

They are the keystream of AES-128 in counter mode under a key made from the seed and the file's number: incompressible,
unlike from file to file, and as quick to make as memory is to fill.
"""

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16
_ZEROS = bytes(1 << 20)
_EXPONENT_MASKS = {2: 0xBFFF, 4: 0xBFFFFFFF, 8: 0xBFFFFFFFFFFFFFFF}
"""Clears the top bit of a float's exponent, which leaves neither infinities nor NaNs."""


class FileContent:
    """The content of one file; offsets count from its first sample's first byte."""

    def __init__(self, seed: int, file: int, dtype: str = "uint8") -> None:
        self._key = hashlib.blake2b(f"{seed}/{file}".encode(), digest_size=16).digest()
        element = np.dtype(dtype)
        self._mask = _EXPONENT_MASKS[element.itemsize] if element.kind == "f" else None
        self._item = element.itemsize

    def fill(self, offset: int, into: memoryview) -> None:
        """The bytes from ``offset`` on."""
        if self._mask is None:
            self._keystream(offset, into)
            return
        before = offset % self._item
        whole = bytearray(-(-(before + len(into)) // self._item) * self._item)
        self._keystream(offset - before, memoryview(whole))
        words = np.frombuffer(whole, f"<u{self._item}")
        np.bitwise_and(words, words.dtype.type(self._mask), out=words)
        into[:] = memoryview(whole)[before : before + len(into)]

    def _keystream(self, offset: int, into: memoryview) -> None:
        block, skip = divmod(offset, _BLOCK)
        encryptor = Cipher(algorithms.AES(self._key), modes.CTR(block.to_bytes(_BLOCK, "big"))).encryptor()
        encryptor.update(_ZEROS[:skip])
        at = 0
        while at < len(into):
            part = into[at : at + len(_ZEROS)]
            encryptor.update_into(_ZEROS[: len(part)] if len(part) < len(_ZEROS) else _ZEROS, part)
            at += len(part)
