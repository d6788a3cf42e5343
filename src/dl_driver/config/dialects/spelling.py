# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a spelling of a key is written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """A section under an older name: all its keys move."""

    old: str
    new: str
    framework: str | None = None
    """Only where the workload's framework is this one; otherwise the section is about a run that does not happen."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key under an older name, or that is several keys today."""

    old: str
    new: tuple[str, ...]
    convert: Callable[[Any], Any] | None = None
    """The old value in today's terms; raises ValueError saying what was expected."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A key that another program knew and that changes nothing here."""

    old: str
    why: str


def key(old: str, *new: str, convert: Callable[[Any], Any] | None = None) -> Key:
    """A row for a key."""
    return Key(old, new, convert)
