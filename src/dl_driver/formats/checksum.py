# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRC-32 as ZIP uses it, at memory speed."""

from functools import lru_cache

from isal import isal_zlib

crc32 = isal_zlib.crc32
"""``crc32(data, start=0) -> int``: continues from ``start``, so that data may come in pieces."""


@lru_cache(maxsize=4096)
def crc32_of_zeros(count: int, start: int = 0) -> int:
    """The CRC after ``count`` zero bytes more, without touching them: the CRC of twice as many zeros follows from
    that of as many, so it takes about log2(count) steps."""
    crc, power, length = start, crc32(b"\0"), 1
    while count:
        if count & 1:
            crc = isal_zlib.crc32_combine(crc, power, length)
        power = isal_zlib.crc32_combine(power, power, length)
        count, length = count >> 1, length << 1
    return crc
