# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is answered to a request: a pure function of its head and of the workload.

An answer is whole and ready to send, and the same object for the same request, so that a hot one costs a look into a
table. Signatures and credentials are not looked at.
"""

import hashlib
import re
import urllib.parse
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from dl_driver.dataset.files import ComputedFiles
from dl_driver.formats.base import SparseFile
from dl_driver.serving.listing import Dialect, dialect_of, error_document, listing, metadata
from dl_driver.serving.names import find
from dl_driver.serving.objects import Objects, slices

_JOINED_BYTES = 1 << 17
_REMEMBERED = 1 << 16
_PLAIN = 1 << 10
_SIGNATURES = (64 + 2, 44 + 2)
"""Bytes at a head's end: a signature of S3 and one of Azure's shared keys, and the line's end."""
_RANGE = re.compile(rb"\n(?:x-ms-)?range:[ \t]*bytes=(\d*)-(\d*)[ \t]*\r")
_FACTS = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-ms-blob-type: BlockBlob\r\n"


class Answer(NamedTuple):
    """The bytes to send."""

    start: bytes
    """The head, and the body too where it is short."""
    rest: tuple[memoryview, ...]
    """The body that follows, in slices."""
    body_bytes: int
    """The body's length."""
    closes: bool = False
    """Whether the connection ends with it."""


class _Range(NamedTuple):
    """What of an object is asked for, as a Range header says it; None: not said."""

    first: int | None
    last: int | None

    def of(self, size: int) -> tuple[int, int] | None:
        """The bytes [start, end) of an object; None where none of them exist."""
        if self.first is None:
            start, end = max(0, size - (self.last or 0)), size
        else:
            start, end = self.first, size if self.last is None else min(size, self.last + 1)
        return (start, end) if start < end else None


class Answers:
    """The answers for one workload; for one thread."""

    def __init__(self, splits: Sequence[ComputedFiles]) -> None:
        self._splits, self._objects = splits, Objects()
        self._remembered: dict[bytes, Answer] = {}
        self._plain: set[bytes] = set()
        self._object_answer = lru_cache(maxsize=4096)(_object_answer)

    def of(self, head: bytes) -> Answer:
        """The answer to a request's head, which ends with the last header's line end."""
        end_of_line = head.find(b"\r")
        if not head.startswith(b"GET ") or not self._is_plain(head, end_of_line):
            return self._of_any(head, head.lower())
        asked = head[4:end_of_line]
        known = self._remembered.get(asked)
        if known is None:
            known = self._of_any(head, head.lower())
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[asked] = known
        return known

    def _is_plain(self, head: bytes, end_of_line: int) -> bool:
        """Whether no header changes the answer. A client's heads differ in the request line and in the signature with
        which they end; what lies between is looked through once. No header begins where there is no colon."""
        for length in _SIGNATURES:
            if head.find(b":", -length) < 0:
                between = head[end_of_line:-length]
                if between in self._plain:
                    return True
                break
        else:
            between = b""
        lowered = head.lower()
        if b"range:" in lowered or b"close" in lowered or b"-length:" in lowered:
            return False
        if between.rpartition(b"\n")[2].lower().startswith(b"authorization: "):
            if len(self._plain) >= _PLAIN:
                self._plain.clear()
            self._plain.add(between)
        return True

    def _of_any(self, head: bytes, lowered: bytes) -> Answer:
        method, _, rest = head.partition(b" ")
        target, _, version = rest.partition(b"\r\n")[0].rpartition(b" ")
        if not version.startswith(b"HTTP/1."):
            return _closing(_text_answer(400, "text/plain", "expected an HTTP/1.1 request", False))
        url = urllib.parse.urlsplit(target.decode("latin-1"))
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        dialect = dialect_of(url.path, query, lowered)
        if method not in (b"GET", b"HEAD"):
            # Its body, if it has one, is not read: the connection ends.
            return _closing(_error(dialect, 405, "MethodNotAllowed", "this server has nothing to write to", False))
        answer = self._read(dialect, url.path, query, lowered, method == b"HEAD")
        has_body = b"-length:" in lowered and b"\ncontent-length: 0\r" not in lowered
        ends = has_body or b"\nconnection: close" in lowered or version == b"HTTP/1.0"
        return _closing(answer) if ends else answer

    def _read(self, dialect: Dialect, path: str, query: dict[str, str], lowered: bytes, bare: bool) -> Answer:
        try:
            listed = listing(dialect, path, query, self._splits, self._objects)
        except ValueError as error:
            return _error(dialect, 400, "InvalidArgument", f"{path}: {error}", bare)
        if listed is not None:
            return _text_answer(200, dialect.content_type, listed, bare)
        name = urllib.parse.unquote(path)
        found = find(name, self._splits)
        if found is None:
            return _error(dialect, 404, dialect.no_such_object, f"{name} is no file of the workload", bare)
        file = self._objects.of(found)
        if dialect is Dialect.GCS_JSON and query.get("alt") != "media":
            return _text_answer(200, dialect.content_type, metadata(path, file.size), bare)
        return self._object_answer(file, _range_of(lowered), bare)


def _range_of(lowered: bytes) -> _Range | None:
    """The range that a head asks for. One of several parts, or of no numbers, counts as none, as HTTP allows."""
    match = _RANGE.search(lowered)
    if match is None or not any(match.groups()):
        return None
    first, last = (int(part) if part else None for part in match.groups())
    return _Range(first, last)


def _object_answer(file: SparseFile, wanted: _Range | None, bare: bool) -> Answer:
    span = (0, file.size) if wanted is None else wanted.of(file.size)
    if span is None:
        head = _head(416, "Range Not Satisfiable", "application/xml", 0, f"Content-Range: bytes */{file.size}\r\n")
        return Answer(head, (), 0)
    start, end = span
    facts = f'Accept-Ranges: bytes\r\nETag: "{_tag(file)}"\r\n{_FACTS}'
    if wanted is None:
        head = _head(200, "OK", "application/octet-stream", file.size, facts)
    else:
        facts += f"Content-Range: bytes {start}-{end - 1}/{file.size}\r\n"
        head = _head(206, "Partial Content", "application/octet-stream", end - start, facts)
    if bare:
        return Answer(head, (), 0)
    body = tuple(slices(file, start, end))
    if end - start <= _JOINED_BYTES:
        return Answer(b"".join([head, *body]), (), end - start)
    return Answer(head, body, end - start)


def _tag(file: SparseFile) -> str:
    """The same for files that hold the same."""
    digest = hashlib.blake2b(str(file.size).encode(), digest_size=16)
    for offset, data in file.pieces:
        digest.update(offset.to_bytes(8))
        digest.update(data)
    return digest.hexdigest()


def _error(dialect: Dialect, status: int, code: str, message: str, bare: bool) -> Answer:
    return _text_answer(status, dialect.content_type, error_document(dialect, status, code, message), bare, code)


_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


def _text_answer(status: int, content_type: str, text: str, bare: bool, code: str = "") -> Answer:
    body = text.encode()
    facts = f"x-ms-error-code: {code}\r\n" if code else ""
    head = _head(status, _REASONS[status], content_type, len(body), facts)
    return Answer(head if bare else head + body, (), 0 if bare else len(body))


def _head(status: int, reason: str, content_type: str, length: int, facts: str) -> bytes:
    lines = f"HTTP/1.1 {status} {reason}\r\nContent-Length: {length}\r\nContent-Type: {content_type}\r\n{facts}\r\n"
    return lines.encode("latin-1")


def _closing(answer: Answer) -> Answer:
    """The same, and the connection ends with it."""
    line, separator, rest = answer.start.partition(b"\r\n")
    return answer._replace(start=line + separator + b"Connection: close\r\n" + rest, closes=True)
