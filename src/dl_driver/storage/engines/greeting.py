# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a server answers at all, and what its clock says.

Signatures hold the time, and servers refuse those that are off by some minutes, not all of them with that reason.
"""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from dl_driver.storage.engines.http_sender import Message, Sender
from dl_driver.storage.engines.http_service import Endpoint, Service
from dl_driver.storage.options import Limits

_ANY_STATUS = tuple(range(300, 600))


@dataclass(frozen=True, slots=True)
class Greeting:
    """A server's answer, whatever it was."""

    url: str
    took_ns: int
    """From the name to the end of the answer, TLS included."""
    ahead_s: float | None
    """The server's clock before this machine's; servers tell whole seconds. None where it tells no time."""


def greeted(service: Service, endpoint: Endpoint, limits: Limits) -> Greeting:
    """Ask an endpoint once. Raises UnreachableError."""
    sender = Sender(service, endpoint, limits)
    started, began = time.time(), time.perf_counter_ns()
    try:
        reply = sender.send(Message("GET", "/", dict), attempts=1, accept=_ANY_STATUS)
    finally:
        sender.close()
    took = time.perf_counter_ns() - began
    return Greeting(endpoint.url, took, _ahead_s(reply.headers.get("Date"), started + took / 2e9))


def _ahead_s(date: str | None, now: float) -> float | None:
    """How far a Date header is before ``now``; the header's time is half a second old on average."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return None
