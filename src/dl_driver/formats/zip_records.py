# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a ZIP archive (PKWARE APPNOTE 6.3), those of stored members alone.

An archive is members, each behind a local header; then the central directory, which says everything again and where
each member is; then the end record. Numbers that do not fit 32 bits move into an "extra field" (zip64).
What is written here equals what Python's zipfile writes for ``numpy.savez``, to the byte.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from dl_driver.errors import FormatError

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
END64, LOCATOR64 = b"PK\6\6", b"PK\6\7"
UTF8_NAME = 0x800

LOCAL_REST = struct.Struct("<5H3I2H")
"""After the signature: version, flags, method, time, date, CRC, compressed, size, name length, extra length."""
CENTRAL_REST = struct.Struct("<6H3I5H2I")
"""After the signature: version made by, version needed, flags, method, time, date, CRC, compressed, size, name length,
extra length, comment length, disk, internal attributes, external attributes, local header's offset."""
END_REST = struct.Struct("<4H2IH")
"""After the signature: disk, directory's disk, members here, members, directory's size and offset, comment length."""
END64_REST = struct.Struct("<Q2H2I4Q")
"""After the signature: record's size, version made by and needed, disk, directory's disk, members here, members,
directory's size and offset."""
LOCATOR64_REST = struct.Struct("<IQI")
"""After the signature: disk, the zip64 end record's offset, disks."""

LOCAL_TIME_AT, LOCAL_CRC_AT = 10, 14
CENTRAL_TIME_AT, CENTRAL_CRC_AT = 12, 16
"""From the record's signature on; the CRC follows time and date."""

_VERSION_ZIP64 = 45
_UNIX = 3 << 8
_FIRST_OF_1980 = 0x21
_OWNER_READS_AND_WRITES = 0o600 << 16
FULL32 = 0xFFFFFFFF
_LIMIT = 2**31 - 1
"""Where zipfile goes over to zip64."""


class Member(NamedTuple):
    """One stored file of an archive."""

    name: bytes
    flags: int
    offset: int
    """Of its local header."""
    size: int
    crc: int


def local_header(name: bytes, size: int, crc: int) -> bytes:
    """As zipfile writes it for a member of unforeseen size: always with a zip64 field."""
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    fields = LOCAL_REST.pack(_VERSION_ZIP64, 0, 0, 0, _FIRST_OF_1980, crc, FULL32, FULL32, len(name), len(extra))
    return LOCAL + fields + name + extra


def closing_records(members: Sequence[Member], offset: int) -> bytes:
    """Central directory, which starts at ``offset``, and end records."""
    directory = b"".join(_central_header(member) for member in members)
    count, size = len(members), len(directory)
    end64 = _end64(count, size, offset) if offset > _LIMIT else b""
    end = END_REST.pack(0, 0, count, count, size, min(offset, FULL32), 0)
    return directory + end64 + END + end


def _central_header(member: Member) -> bytes:
    wide = [member.size, member.size] if member.size > _LIMIT else []
    size = FULL32 if wide else member.size
    if member.offset > _LIMIT:
        wide.append(member.offset)
    offset = FULL32 if member.offset > _LIMIT else member.offset
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    fields = CENTRAL_REST.pack(
        _UNIX | _VERSION_ZIP64,
        _VERSION_ZIP64,
        member.flags,
        0,
        0,
        _FIRST_OF_1980,
        member.crc,
        size,
        size,
        len(member.name),
        len(extra),
        0,
        0,
        0,
        _OWNER_READS_AND_WRITES,
        offset,
    )
    return CENTRAL + fields + member.name + extra


def _end64(count: int, size: int, offset: int) -> bytes:
    record = END64_REST.pack(44, _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, size, offset)
    return END64 + record + LOCATOR64 + LOCATOR64_REST.pack(0, offset + size, 1)


def widen(extra: bytes, values: tuple[int, ...], what: str) -> tuple[int, ...]:
    """The values (size, compressed size, offset), those that did not fit replaced from the zip64 field."""
    missing = sum(value == FULL32 for value in values)
    if not missing:
        return values
    field = _zip64_field(extra, what)
    if len(field) < 8 * missing:
        raise FormatError(f"{what}: a size or offset is missing: no zip64 field of {8 * missing} bytes tells it")
    wide = iter(struct.unpack_from(f"<{missing}Q", field))
    return tuple(next(wide) if value == FULL32 else value for value in values)


def _zip64_field(extra: bytes, what: str) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if at + 4 + length > len(extra):
            raise FormatError(f"{what}: its extra field ends within an entry")
        if kind == 1:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""
