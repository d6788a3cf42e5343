# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an examination found."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """What a finding means for a run."""

    OK = "ok"
    ADVICE = "advice"
    """A run works; it would be faster or closer to the truth otherwise."""
    MISSING = "missing"
    """A run cannot do without."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """Snake case, the same on every machine."""
    grade: Grade
    text: str
    """What was found, for people."""
    value: float | str | None = None
    """The same for programs; None where there is no single value."""
    unit: str = ""
    """Of the value."""
    advice: str = ""
    """What to do about it; empty where all is well."""


def anything_missing(findings: Iterable[Finding]) -> bool:
    """Whether a run cannot work."""
    return any(finding.grade is Grade.MISSING for finding in findings)
