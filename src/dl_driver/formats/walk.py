# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a file that passes by in windows of any size.

A format's structure is written once, as a generator that asks for what comes next: ``Take`` for bytes it wants to
see, ``Pass`` for data that only run through a checksum. The walker feeds it from windows, one or many, so a whole
file in memory and a file in pieces are checked by the same lines, and every byte of a file is accounted for.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from dl_driver.errors import FormatError
from dl_driver.formats.base import ArraySpec, Layout
from dl_driver.formats.checksum import crc32


class Take(NamedTuple):
    """Answered with the next ``length`` bytes."""

    length: int
    what: str
    """For the message where the file ends within them."""


class Pass(NamedTuple):
    """Answered with the checksum of the next ``length`` bytes (the structure's kind, by default CRC-32), continued from
    ``crc``; None: no checksum is wanted."""

    length: int
    what: str
    crc: int | None


class Structure:
    """A format's structure: a generator of requests that knows where it is and which arrays it has met."""

    checksum: Callable[[memoryview, int], int] = staticmethod(crc32)

    def __init__(self) -> None:
        self.position = 0
        """Of the next byte in the file."""
        self.arrays: list[ArraySpec] = []

    def steps(self) -> Generator[Take | Pass, Any, None]:
        """The file from its first byte to its last; raises FormatError."""
        raise NotImplementedError

    def take(self, length: int, what: str) -> Generator[Take | Pass, Any, bytes]:
        """Ask for bytes."""
        data: bytes = yield Take(length, what)
        self.position += length
        return data

    def skip(self, length: int, what: str, crc: int | None) -> Generator[Take | Pass, Any, int | None]:
        """Let bytes pass by; returns their CRC."""
        result: int | None = yield Pass(length, what, crc)
        self.position += length
        return result


class Walker:
    """A StreamDecoder that follows a structure."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._steps = structure.steps()
        self._request: Take | Pass | None = next(self._steps)
        self._left = self._request.length
        self._taken = bytearray()
        self._crc: int | None = None

    @property
    def layout_so_far(self) -> Layout:
        """See StreamDecoder."""
        return tuple(self._structure.arrays)

    def feed(self, window: memoryview) -> None:
        """See StreamDecoder."""
        at, size = 0, len(window)
        while at < size:
            if self._request is None:
                raise FormatError(f"bytes follow the file's end, which is at byte {self._structure.position}")
            count = min(self._left, size - at)
            part = window[at : at + count]
            if isinstance(self._request, Take):
                self._taken += part
            elif self._crc is not None:
                self._crc = self._structure.checksum(part, self._crc)
            at += count
            self._left -= count
            if not self._left:
                self._advance()

    def finish(self) -> Layout:
        """See StreamDecoder."""
        if self._request is not None:
            end = self._structure.position + self._request.length - self._left
            raise FormatError(
                f"the file ends at byte {end}, within {self._request.what} ({self._left} bytes are missing there)"
            )
        return self.layout_so_far

    def _advance(self) -> None:
        """Answer the request that is complete, and every following one for no bytes at all."""
        while self._request is not None and not self._left:
            answer = bytes(self._taken) if isinstance(self._request, Take) else self._crc
            self._taken.clear()
            try:
                self._request = self._steps.send(answer)
            except StopIteration:
                self._request = None
                return
            self._left = self._request.length
            self._crc = self._request.crc if isinstance(self._request, Pass) else None
