# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an NPZ file consists of, from its first byte to its last.

Read forward: every member where it lies, then the central directory, which must say the same, then the end. No gap, no
overlap, no byte unaccounted for; so what NumPy would read through the directory is what was checked here.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from dl_driver.errors import FormatError
from dl_driver.formats import zip_records as records
from dl_driver.formats.base import ArraySpec
from dl_driver.formats.checksum import crc32
from dl_driver.formats.magic import looks_like
from dl_driver.formats.npy_header import NpyHeader, read_npy_header
from dl_driver.formats.walk import Pass, Structure, Take

_COMPRESSION_HINTS = 0x6
"""Flags that mean nothing for stored members."""


@dataclass(slots=True)
class SeenMember:
    """A member that passed by, and where the bytes are that differ between files of one structure."""

    member: records.Member
    header_crc: int
    """Of the NPY header alone, from which the payload's continues."""
    payload_start: int
    payload_end: int
    central_at: int | None = None
    """Where its entry in the central directory is; None until that was met."""


class NpzStructure(Structure):
    """Stored members, each an NPY file."""

    def __init__(self) -> None:
        super().__init__()
        self.members: list[SeenMember] = []

    def steps(self) -> Generator[Take | Pass, Any, None]:
        """See Structure."""
        signature: bytes = yield from self.take(4, "the first signature")
        if signature not in (records.LOCAL, records.END):
            found = looks_like(signature)
            raise FormatError(f"no NPZ file: it begins with {signature!r} instead of {records.LOCAL!r}{found}")
        while signature == records.LOCAL:
            yield from self._member()
            signature = yield from self.take(4, "the signature after a member")
        start = self.position - 4
        by_offset = {seen.member.offset: seen for seen in self.members}
        while signature == records.CENTRAL:
            yield from self._entry(by_offset)
            signature = yield from self.take(4, "the signature after a directory entry")
        self._check_directory_complete()
        yield from self._end(signature, start, self.position - 4 - start)

    @property
    def is_in_order(self) -> bool:
        """Whether the directory names the members in the order in which they lie, as any common writer's does."""
        entries = [seen.central_at or 0 for seen in self.members]
        return entries == sorted(entries)

    def _member(self) -> Generator[Take | Pass, Any, None]:
        offset = self.position - 4
        what = f"the local header at byte {offset}"
        rest: bytes = yield from self.take(records.LOCAL_REST.size, what)
        _, flags, method, _, _, crc, stored, size, name_length, extra_length = records.LOCAL_REST.unpack(rest)
        raw_name: bytes = yield from self.take(name_length, what)
        extra: bytes = yield from self.take(extra_length, what)
        what = f"member {_text(raw_name, flags, what)!r}"
        _check_stored(flags, method, what)
        size, stored = records.widen(extra, (size, stored), what)
        _check_equal_sizes(size, stored, what)
        yield from self._array(records.Member(raw_name, flags, offset, size, crc), what)

    def _array(self, member: records.Member, what: str) -> Generator[Take | Pass, Any, None]:
        name = self._array_name(member, what)
        header: NpyHeader = yield from read_npy_header(self, what, member.size)
        start, room = self.position, member.size - len(header.raw)
        if header.payload_bytes != room:
            raise FormatError(
                f"{what}: shape {header.shape} of {header.dtype} takes {header.payload_bytes} bytes; it has {room}"
            )
        self.arrays.append(ArraySpec(name, header.dtype, header.shape, start, header.fortran_order))
        header_crc = crc32(header.raw)
        crc = yield from self.skip(room, f"the data of {what}", header_crc)
        if crc != member.crc:
            raise FormatError(f"{what}: its CRC-32 is {crc:08x}; the file says {member.crc:08x}: the data are damaged")
        self.members.append(SeenMember(member, header_crc, start, self.position))

    def _array_name(self, member: records.Member, what: str) -> str:
        name, dot, suffix = _text(member.name, member.flags, what).rpartition(".")
        if not dot or suffix != "npy":
            raise FormatError(f"{what} is no array: its name does not end in .npy")
        if any(name == array.name for array in self.arrays):
            raise FormatError(f"{what} is there twice")
        return name

    def _entry(self, by_offset: dict[int, SeenMember]) -> Generator[Take | Pass, Any, None]:
        at = self.position - 4
        what = f"the directory entry at byte {at}"
        rest: bytes = yield from self.take(records.CENTRAL_REST.size, what)
        _, _, flags, method, _, _, crc, stored, size, *lengths, disk, _, _, offset = records.CENTRAL_REST.unpack(rest)
        name: bytes = yield from self.take(lengths[0], what)
        extra: bytes = yield from self.take(lengths[1], what)
        yield from self.take(lengths[2], what)
        size, stored, offset = records.widen(extra, (size, stored, offset), what)
        _check_stored(flags, method, what)
        _check_equal_sizes(size, stored, what)
        seen = by_offset.get(offset)
        if seen is None or seen.central_at is not None:
            raise FormatError(f"{what} speaks of a member at byte {offset}, where none or another entry's begins")
        if records.Member(name, flags, offset, size, crc) != seen.member or disk:
            raise FormatError(f"{what} contradicts the header of its member at byte {offset}")
        seen.central_at = at

    def _check_directory_complete(self) -> None:
        for seen in self.members:
            if seen.central_at is None:
                raise FormatError(
                    f"the central directory ends at byte {self.position - 4} without the member"
                    f" at byte {seen.member.offset}"
                )

    def _end(self, signature: bytes, start: int, size: int) -> Generator[Take | Pass, Any, None]:
        wide = signature == records.END64
        if wide:
            signature = yield from self._end64(start, size)
        if signature != records.END:
            raise FormatError(f"expected the end record at byte {self.position - 4}, found {signature!r}")
        rest: bytes = yield from self.take(records.END_REST.size, "the end record")
        disk, first_disk, here, count, length, offset, comment_length = records.END_REST.unpack(rest)
        told = ((here, len(self.members), 16), (count, len(self.members), 16), (length, size, 32), (offset, start, 32))
        if disk or first_disk or not all(_says(field, value, bits, wide) for field, value, bits in told):
            raise FormatError(f"the end record contradicts the directory of {size} bytes at byte {start}")
        yield from self.take(comment_length, "the archive's comment")

    def _end64(self, start: int, size: int) -> Generator[Take | Pass, Any, bytes]:
        at = self.position - 4
        rest: bytes = yield from self.take(records.END64_REST.size, "the zip64 end record")
        length, _, _, *told = records.END64_REST.unpack(rest)
        count = len(self.members)
        if length != records.END64_REST.size - 8 or told != [0, 0, count, count, size, start]:
            raise FormatError(f"the zip64 end record at byte {at} contradicts the directory at byte {start}")
        locator: bytes = yield from self.take(4 + records.LOCATOR64_REST.size, "the zip64 locator")
        if locator[:4] != records.LOCATOR64 or records.LOCATOR64_REST.unpack(locator[4:]) != (0, at, 1):
            raise FormatError(f"the zip64 locator does not lead to the end record at byte {at}")
        signature: bytes = yield from self.take(4, "the end record")
        return signature


def _says(field: int, value: int, bits: int, wide: bool) -> bool:
    """Whether an end record's field is ``value``, or says that the zip64 record has it."""
    return field == value or (wide and field == (1 << bits) - 1)


def _text(name: bytes, flags: int, what: str) -> str:
    try:
        return name.decode("utf-8" if flags & records.UTF8_NAME else "cp437")
    except UnicodeDecodeError as error:
        raise FormatError(f"{what}: its name {name!r} is no UTF-8") from error


def _check_stored(flags: int, method: int, what: str) -> None:
    if flags & 1:
        raise FormatError(f"{what} is encrypted")
    if method:
        raise FormatError(
            f"{what} is compressed (method {method}); set dataset.compression (or the argument compression) to zip"
        )
    if flags & 8:
        raise FormatError(f"{what} has its size behind its data, as written into a pipe; such NPZ is not read yet")
    if flags & ~(records.UTF8_NAME | _COMPRESSION_HINTS):
        raise FormatError(f"{what} has unknown flags {flags:#06x}")


def _check_equal_sizes(size: int, stored: int, what: str) -> None:
    if size != stored:
        raise FormatError(f"{what} is stored, yet {size} bytes take {stored}")
