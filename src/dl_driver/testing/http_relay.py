# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of HTTP/1.1 as a proxy that breaks answers needs: heads, and bodies block by block as on the wire."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_LIMIT_BYTES = 1 << 16
_BLOCK = 1 << 16


class RelayError(Exception):
    """One side said what is no HTTP that this proxy knows, or went away in the middle."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a request or an answer."""

    line: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def get(self, name: bytes) -> bytes | None:
        """A header's value; ``name`` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, *names: bytes) -> "Head":
        """The same without these headers, named in lower case."""
        return Head(self.line, tuple((key, value) for key, value in self.headers if key.lower() not in names))

    def replaced(self, line: bytes, **headers: bytes) -> "Head":
        """Another first line, and these headers (``content_range`` for Content-Range) in place of any there were."""
        names = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return Head(line, (*self.without(*names).headers, *names.items()))

    def encode(self) -> bytes:
        """As on the wire, the empty line included."""
        return b"\r\n".join([self.line, *(key + b": " + value for key, value in self.headers), b"", b""])

    @property
    def method(self) -> str:
        """Of a request."""
        return self.line.split(b" ", 1)[0].decode("latin-1")

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.line.split(b" ", 2)[1])

    @property
    def length(self) -> int | None:
        """The body's length where it is told; None for a body in chunks or up to the connection's end."""
        value = self.get(b"content-length")
        return None if value is None or self.is_chunked else int(value)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return (self.get(b"transfer-encoding") or b"").lower() == b"chunked"

    @property
    def closes(self) -> bool:
        """Whether this is the connection's last message."""
        return (self.get(b"connection") or b"").lower() == b"close" or self.line.endswith(b"HTTP/1.0")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None where the connection ended between messages. Raises RelayError."""
    try:
        text = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise RelayError("the connection ended in the middle of a head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise RelayError(f"a head of more than {HEAD_LIMIT_BYTES} bytes") from error
    line, *fields = text[:-4].split(b"\r\n")
    pairs = (field.partition(b":") for field in fields)
    return Head(line, tuple((name.strip(), value.strip()) for name, _, value in pairs))


def has_body(request: Head, answer: Head) -> bool:
    """Whether an answer's head is followed by a body."""
    return request.method != "HEAD" and answer.status >= 200 and answer.status not in (204, 304) and answer.length != 0


async def body_blocks(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body that follows a head, block by block, chunks with their frames. Raises RelayError."""
    if head.is_chunked:
        async for block in _chunks(reader):
            yield block
    elif head.length is not None:
        rest = head.length
        while rest:
            block = await reader.read(min(rest, _BLOCK))
            if not block:
                raise RelayError(f"the connection ended {rest} bytes before the body's end")
            rest -= len(block)
            yield block
    else:
        while block := await reader.read(_BLOCK):
            yield block


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                trailer = line
                while (field := await reader.readuntil(b"\r\n")) != b"\r\n":
                    trailer += field
                yield trailer + b"\r\n"
                return
            yield line + await reader.readexactly(size + 2)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise RelayError("a body in chunks that is none") from error
