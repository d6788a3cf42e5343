# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The head of an HTTP/1.1 answer. Only what a read needs is looked for, and most answers need little of it."""

import re
from typing import NamedTuple

_RANGE = re.compile(rb"\ncontent-range:[ \t]*bytes[ \t]+(\d+)-(\d+)/(\d+|\*)[ \t]*\r")
_UNSATISFIED = re.compile(rb"\ncontent-range:[ \t]*bytes[ \t]+\*/(\d+)[ \t]*\r")
_ETAG = re.compile(rb"\netag:[ \t]*([^\r\n]*?)[ \t]*\r", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\nretry-after:[ \t]*(\d{1,6})[ \t]*\r")
_ENCODED = re.compile(rb"\n(?:transfer|content)-encoding:")
_CONNECTION = re.compile(rb"\nconnection:[ \t]*([^\r]*)")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r")
_SUCCESS = (b"http/1.1 200 ", b"http/1.1 206 ")


class Head(NamedTuple):
    """An answer's first lines."""

    status: int
    length: int | None
    """Of the body; None where the head does not say it plainly (none given, or a transfer or content encoding)."""
    keeps: bool
    """Whether the connection stays open."""
    text: bytes
    """In lower case."""
    raw: bytes
    """As it came."""


class ContentRange(NamedTuple):
    """Which bytes of the object an answer holds."""

    first: int
    last: int
    total: int | None


def plain_length(text: bytes) -> int:
    """The body's length in the head, in lower case, of an answer that is plainly a success on a connection that stays
    open; -1 for any other, which is for parse_head. Hot."""
    at = text.find(b"\ncontent-length: ")
    if (
        at < 0
        or not text.startswith(_SUCCESS)
        or text.find(b"-encoding: ") > 0
        or text.find(b"\nconnection: close") > 0
    ):
        return -1
    try:
        return int(text[at + 17 : text.find(b"\r", at + 17)])
    except ValueError:
        return -1


def parse_head(raw: bytes) -> Head | None:
    """The head of an answer, up to and with its last line's carriage return; None where this is no HTTP/1.x."""
    text = raw.lower()
    if not text.startswith(b"http/1.") or not text[9:12].isdigit():
        return None
    found = _LENGTH.search(text)
    length = int(found[1]) if found and not _ENCODED.search(text) else None
    keeps = text[7] == 49  # "1"
    if said := _CONNECTION.search(text):
        keeps = b"close" not in said[1] and (keeps or b"keep-alive" in said[1])
    return Head(int(text[9:12]), length, keeps, text, raw)


def content_range(text: bytes) -> ContentRange | None:
    """From a head in lower case."""
    found = _RANGE.search(text)
    if found is None:
        return None
    return ContentRange(int(found[1]), int(found[2]), None if found[3] == b"*" else int(found[3]))


def unsatisfied_total(text: bytes) -> int | None:
    """The object's size in the head (in lower case) of an answer that a range lies beyond the object's end."""
    found = _UNSATISFIED.search(text)
    return None if found is None else int(found[1])


def etag_of(head: bytes) -> str | None:
    """The object's version from a head as it came; None where a server gives none or a weak one."""
    found = _ETAG.search(head)
    if found is None or not found[1].startswith(b'"'):
        return None
    return found[1].decode("latin-1")


def retry_after_s(text: bytes) -> int | None:
    """Seconds that an overloaded server asks for, from a head in lower case."""
    found = _RETRY_AFTER.search(text)
    return None if found is None else int(found[1])
