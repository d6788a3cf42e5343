# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the general client's errors say, which are text for programmers: a status, or why there was no answer."""

import re

from dl_driver.storage.engines.http_connection import CHECK_THE_NAME

_STATUS = re.compile(r"status code: (\d{3})")
_REASONS = (
    (
        re.compile(r"dns error|failed to lookup|resolve", re.IGNORECASE),
        f"the name cannot be resolved: {CHECK_THE_NAME}",
    ),
    (
        re.compile(r"CaUsedAsEndEntity"),
        "its certificate is an authority's own, which listing and the general client do not take: give the server one"
        " that says CA:FALSE",
    ),
    (
        re.compile(r"certificate|UnknownIssuer|InvalidCertificate", re.IGNORECASE),
        "its certificate is not trusted: name its authority's with storage.storage_options.ca_file",
    ),
    (
        re.compile(r"connection refused", re.IGNORECASE),
        "the connection was refused: is the server running, and is this its port?",
    ),
    (
        re.compile(r"kind: Timeout|timed out", re.IGNORECASE),
        "no answer in time: is the server up, and can it be reached?",
    ),
    (re.compile(r"kind: Connect|error sending request"), "no connection: is the server running, and is this its port?"),
)


def status_in(text: str) -> int | None:
    """The status of the server's answer, where an error quotes one."""
    found = _STATUS.search(text)
    return None if found is None else int(found[1])


def unreachable(text: str) -> str | None:
    """Why the server could not be asked, and the way out; None where it answered."""
    if status_in(text) is not None:
        return None
    return next((reason for pattern, reason in _REASONS if pattern.search(text)), None)
