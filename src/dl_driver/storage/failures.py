# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a server's refusal to what it means and what to do: the same for every provider but for its words."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dl_driver.errors import NotFoundError
from dl_driver.storage.engines.http_service import Judgement, Verdict
from dl_driver.storage.redaction import redacted

CLOCK = "this machine's clock and the server's differ by too much: set the clock (see timedatectl)"
NO_OBJECT = "there is no such object; generate the data set, or check dataset.data_folder and its counts"
BAD_DIGEST = "the bytes that reached the server are not those that were sent; try again, and check the network"
_PLAIN_TO_TLS = re.compile(r"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server", re.IGNORECASE)
_OURS = re.compile(r"credential provider: StorageError: (.+?)(?:\s*Debug source|\Z)", re.DOTALL)
"""The general client's error around one of our own, raised where it asked for credentials."""
_REDIRECTS = (301, 302, 303, 307, 308)
_LOOKED_AT_BYTES = 8192


def _nothing(code: str | None, text: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Failures:
    """A provider's words."""

    code_of: Callable[[str], str | None]
    """The error code in an answer, or in a client's error that quotes it."""
    message: "re.Pattern[str]"
    """Its first group is what the server says to people."""
    meaning: Mapping[str, str]
    """Of each code: the reason and the way out."""
    by_status: Mapping[int, str]
    """The code that a status without one stands for."""
    slow: tuple[str, ...]
    """Codes of a server that is overloaded."""
    passing: tuple[str, ...]
    """Codes of what may work the next time."""
    missing: tuple[str, ...]
    """Codes of an object that is not there."""
    elsewhere: tuple[str, ...] = ()
    """Codes of a bucket that another server has."""
    special: Callable[[str | None, str], str | None] = _nothing
    """The meaning of a code where the rest of the text decides; without the code."""

    def explain(self, status: int | None, text: str) -> str:
        """The reason and the way out."""
        ours = _OURS.search(text)
        if ours is not None:
            return redacted(" ".join(ours[1].split()))
        code = self.code_of(text) or (self.by_status.get(status) if status else None)
        meaning = self.special(code, text) or self.meaning.get(code or "")
        if meaning is not None:
            return f"{meaning} ({code})"
        if _PLAIN_TO_TLS.search(text):
            return "the endpoint speaks TLS: write https:// in storage.storage_options.endpoint_url"
        message = self.message.search(text)
        said = redacted(message[1].strip()) if message else ""
        if code:
            return f"{code}{': ' if said else ''}{said}"
        return f"status {status}" if status else " ".join(redacted(text).split())[:500]

    def judge(self, status: int, body: bytes) -> Verdict:
        """See Service."""
        text = body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")
        code, why = self.code_of(text), self.explain(status, text)
        if status in _REDIRECTS or code in self.elsewhere:
            return Verdict(Judgement.HAND_OVER, why)
        if status in (429, 503) or code in self.slow:
            return Verdict(Judgement.SLOW_DOWN, f"the server is overloaded ({code or status})")
        if status in (408, 425) or status >= 500 or code in self.passing:
            return Verdict(Judgement.RETRY, f"the server failed ({code or status})")
        if status == 404 and (code is None or code in self.missing):
            return Verdict(Judgement.FAIL, why, NotFoundError)
        return Verdict(Judgement.FAIL, why)
