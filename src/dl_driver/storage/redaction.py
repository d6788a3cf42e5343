# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes secrets out of text that others wrote: errors of libraries and answers of servers."""

import re

_QUERY = re.compile(
    r"(?i)\b(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=[^&\s\"']+"
)
_TOKEN = re.compile(r"(?i)\b(bearer|sharedkey)\s+[^\s\"',]+")
_USER = re.compile(r"(://)[^/@\s]+@")
_AUTHORIZATION = re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*)[^\r\n]+")


def redacted(text: str) -> str:
    """The text without signatures, tokens, and users in addresses."""
    text = _AUTHORIZATION.sub(r"\1(hidden)", text)
    text = _QUERY.sub(r"\1=(hidden)", text)
    text = _TOKEN.sub(r"\1 (hidden)", text)
    return _USER.sub(r"\1(hidden)@", text)
