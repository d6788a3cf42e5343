# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes as people write and read them. ``GB`` is 10^9 bytes, ``GiB`` and ``G`` are 2^30."""

import re

_POWERS = "KMGTP"
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?:(?P<prefix>[KMGTP])(?P<binary>i?)(?P<unit>B?)|B?)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of ``512GiB``, ``512G``, ``1.5 TB`` or ``1024``; raises ValueError saying what was expected."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a size such as 512GiB, 1.5TB or 1024, found {text!r}")
    if match["prefix"] is None:
        return int(float(match["number"]))
    decimal = bool(match["unit"]) and not match["binary"]
    power = _POWERS.index(match["prefix"].upper()) + 1
    return int(float(match["number"]) * (1000 if decimal else 1024) ** power)


def show_size(count: float, figures: int = 4) -> str:
    """A few figures and a binary unit: ``23.55 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.{max(figures, len(str(int(count))))}g} {unit}"
        count /= 1024
    return f"{count:.{figures}g} PiB"
