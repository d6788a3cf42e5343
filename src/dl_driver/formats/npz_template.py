# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recognising a file whose structure was seen before.

Files of a data set are alike but for payloads, CRCs and dates. A template is one file's remaining bytes; a file that
has the same ones has the same layout, and only its CRCs are left to check. Two calls into struct compare everything.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from dl_driver.formats import zip_records as records
from dl_driver.formats.base import Layout
from dl_driver.formats.checksum import crc32
from dl_driver.formats.npz_structure import NpzStructure, SeenMember


class _Payload(NamedTuple):
    start: int
    end: int
    header_crc: int


class Template:
    """One structure; for files of exactly its length."""

    __slots__ = ("_constant", "_crcs", "_expected", "_payloads", "layout")

    def __init__(self, data: memoryview, structure: NpzStructure) -> None:
        varying = sorted(_varying(structure.members))
        self._constant = struct.Struct(_pick_all_but(varying, len(data)))
        self._crcs = struct.Struct(_pick_crcs(structure.members))
        self._expected = self._constant.unpack_from(data)
        self._payloads = tuple(
            _Payload(seen.payload_start, seen.payload_end, seen.header_crc) for seen in structure.members
        )
        self.layout: Layout = tuple(structure.arrays)

    def matches(self, data: memoryview) -> bool:
        """Whether these bytes, of this template's length, are a sound file of its structure."""
        if self._constant.unpack_from(data) != self._expected:
            return False
        crcs = [crc32(data[start:end], crc) for start, end, crc in self._payloads]
        return (*crcs, *crcs) == self._crcs.unpack_from(data)


def _varying(members: list[SeenMember]) -> Iterator[tuple[int, int]]:
    """Spans that may differ: time, date and CRC of each header, and the payloads."""
    for seen in members:
        assert seen.central_at is not None
        local_at = seen.member.offset
        yield local_at + records.LOCAL_TIME_AT, local_at + records.LOCAL_CRC_AT + 4
        yield seen.payload_start, seen.payload_end
        yield seen.central_at + records.CENTRAL_TIME_AT, seen.central_at + records.CENTRAL_CRC_AT + 4


def _pick_all_but(spans: list[tuple[int, int]], length: int) -> str:
    parts, at = ["<"], 0
    for start, end in spans:
        parts.append(f"{start - at}s{end - start}x")
        at = end
    return "".join(parts) + f"{length - at}s"


def _pick_crcs(members: list[SeenMember]) -> str:
    """The CRCs of the local headers, then of the directory's entries, each in the members' order."""
    offsets = [seen.member.offset + records.LOCAL_CRC_AT for seen in members]
    offsets += [(seen.central_at or 0) + records.CENTRAL_CRC_AT for seen in members]
    parts, at = ["<"], 0
    for offset in offsets:
        parts.append(f"{offset - at}xI")
        at = offset + 4
    return "".join(parts)
