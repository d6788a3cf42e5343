# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no output may show."""

import re
from collections.abc import Mapping
from typing import Any

_SECRET = re.compile(r"key_id|access_key|secret|token|password|credential|sas", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(://)[^/@]+@")


def is_secret(key: str) -> bool:
    """Whether a key of this name holds a secret."""
    return _SECRET.search(key) is not None


def without_secrets(value: Any) -> Any:
    """The same with the values of secret keys, and credentials in URIs, replaced."""
    if isinstance(value, Mapping):
        return {
            key: "(hidden)" if _SECRET.search(str(key)) and isinstance(item, (str, int)) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return _CREDENTIALS.sub(r"\1(hidden)@", value) if isinstance(value, str) else value
