# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are one compressed stream: written and read a piece at a time, never more in memory than asked for."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from dl_driver.errors import FormatError
from dl_driver.formats.base import FormatOptions
from dl_driver.formats.packing import codec, looks_otherwise
from dl_driver.storage.base import Buffer, Piece

_CHUNK = 1 << 16
_INPUT = 1 << 18
"""Packed bytes that are handed to a codec at once: what it does not take yet, it keeps or copies."""
USUAL_RATIO = 4
"""Most by which data are taken to shrink, where nothing tells."""
DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    ValueError,
    RuntimeError,
    OSError,
)
"""What zipfile raises for archives that are not right."""


def deflated(pieces: Iterable[Piece], options: FormatOptions) -> Iterator[Piece]:
    """A file's pieces, which follow one another, as one stream; of two equal inputs, the same bytes."""
    packer = codec(options.compression).packer(options.compression_level)
    at = 0
    for piece in pieces:
        data = packer.compress(piece.data)
        if data:
            yield Piece(at, data)
            at += len(data)
    yield Piece(at, packer.flush())


def zipped(members: Iterable[tuple[str, Iterable[Buffer]]], level: int) -> Iterator[Piece]:
    """An archive of deflated members, each a name and its bytes in parts."""
    sink, at = _Sink(), 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, parts in members:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as writer:
                for part in parts:
                    writer.write(part)
                    for data in sink.taken():
                        yield Piece(at, data)
                        at += len(data)
    for data in sink.taken():
        yield Piece(at, data)
        at += len(data)


def most_deflated(plain: int) -> int:
    """What a stream of so many bytes takes at most: five bytes for each block that does not shrink, and the ends."""
    return plain + 5 * (plain // 16383 + 1) + 64


def most_packed(plain: int) -> int:
    """The same of any codec: bzip2's blocks grow most, by a hundredth."""
    return plain + (plain >> 6) + 1024


def unpack(data: memoryview, compression: str, into: memoryview) -> int:
    """Unpack a whole file; how many bytes it holds, or ``len(into)`` where it holds that many or more. Raises
    FormatError where the stream is damaged, cut, or followed by something."""
    if compression == "zip":
        return _unzip(data, into)
    source = Inflater(data, compression)
    while source.position < len(into) and not source.at_end():
        source.read_some(into[source.position :])
    return source.position


def _unzip(data: memoryview, into: memoryview) -> int:
    at = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise FormatError(f"the ZIP archive holds {len(members)} members, expected one")
            with archive.open(members[0]) as member:
                while at < len(into) and (part := member.read(min(_INPUT, len(into) - at))):
                    into[at : at + len(part)] = part
                    at += len(part)
    except DAMAGED_ZIP as error:
        raise FormatError(f"no sound ZIP archive: {error}") from error
    return at


class _Sink:
    """What zipfile writes into, as into a pipe."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Keep it until it is taken."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is behind."""

    def close(self) -> None:
        """Nothing is held."""

    def taken(self) -> list[bytes]:
        """What was written since."""
        parts, self._parts = self._parts, []
        return [part for part in parts if part]


class Inflater:
    """The bytes of a file's stream, in order, or of its streams, since tools may write several one behind the other.
    Raises FormatError where one is damaged or ends too early."""

    def __init__(self, data: memoryview, compression: str) -> None:
        self._compression, self._codec, self._data = compression, codec(compression), data
        self._unpacker = self._codec.unpacker()
        self._taken = self._begun = 0
        """Packed bytes that were handed to the codec; where the stream it is in begins."""
        self._ready = memoryview(b"")
        self.position = 0
        """Bytes handed out."""

    def at_end(self) -> bool:
        """Whether the stream is over, and whole."""
        return not self._ready and not self._more()

    def read(self, count: int, what: str) -> bytes:
        """The next bytes; ``what`` they are, for the message."""
        into = bytearray(count)
        self.read_into(memoryview(into), what)
        return bytes(into)

    def read_into(self, into: memoryview, what: str) -> None:
        """Fill ``into``."""
        at = 0
        while at < len(into):
            part = self._next(len(into) - at, what)
            into[at : at + len(part)] = part
            at += len(part)

    def read_some(self, into: memoryview) -> None:
        """Put some of what is next there; not at the end."""
        part = self._next(len(into), "its data")
        into[: len(part)] = part

    def skip(self, count: int, what: str) -> None:
        """Pass over bytes."""
        while count:
            count -= len(self._next(count, what))

    def _next(self, most: int, what: str) -> memoryview:
        if not self._ready and not self._more():
            raise FormatError(f"the {self._compression} stream holds {self.position} bytes and ends within {what}")
        part, self._ready = self._ready[:most], self._ready[most:]
        self.position += len(part)
        return part

    def _more(self) -> bool:
        """Unpack some more; False where all streams are over."""
        while not self._ready:
            if self._unpacker.eof and not self._next_stream():
                return False
            self._ready = memoryview(self._unpack(self._input()))
        return True

    def _input(self) -> memoryview:
        """What the codec is to be given; nothing where it has enough."""
        if not self._unpacker.needs_input:
            return self._data[:0]
        part = self._data[self._taken : self._taken + _INPUT]
        if not part:
            raise FormatError(f"{self._stream()} ends before it is complete")
        self._taken += len(part)
        return part

    def _unpack(self, part: memoryview) -> bytes:
        try:
            return self._unpacker.decompress(part, _CHUNK)
        except self._codec.errors as error:
            hint = looks_otherwise(self._compression, self._data)
            raise FormatError(f"{self._stream()} is damaged: {error}{hint}") from error

    def _next_stream(self) -> bool:
        """Go over to the stream behind the one that ended; False where nothing follows but zeros, as a tape's block is
        filled up."""
        self._taken -= len(self._unpacker.unused_data or b"")
        if not _any(self._data[self._taken :]):
            return False
        self._unpacker, self._begun = self._codec.unpacker(), self._taken
        return True

    def _stream(self) -> str:
        """For messages."""
        if not self._begun:
            return f"the {self._compression} stream"
        return f"what follows the {self._compression} stream, from byte {self._begun} of the file on,"


def _any(data: memoryview) -> bool:
    """Whether a byte is not zero."""
    return bool(np.frombuffer(data, np.uint8).any())
