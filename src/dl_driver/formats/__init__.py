# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""File formats, one a file; found by name through the entry points ``dl_driver.formats``."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.base import DEFAULTS, Format, FormatOptions

_ENTRY_POINTS = "dl_driver.formats"

_ALSO_CALLED = {"jpg": "jpeg"}
"""Formats by other suffixes of theirs."""

_NOT_YET = frozenset(
    {
        "hdf5_opt",
    }
)
"""Formats of DLIO's that a workload may name."""


def format_names() -> tuple[str, ...]:
    """The formats that exist here, sorted."""
    return tuple(sorted(_registered()))


def get_format(name: str, options: FormatOptions = DEFAULTS) -> Format:
    """A new instance, with caches of its own; raises ConfigError for a format that does not exist here, or for options
    that it cannot follow."""
    entry = _registered().get(name)
    if entry is None:
        raise ConfigError([Problem("dataset.format", _missing(name))])
    return cast(Format, entry.load()(options))


def detect_format(key: str, options: FormatOptions = DEFAULTS) -> Format:
    """The format that a file's name or URI tells by its suffix; raises ConfigError where it tells none."""
    path = key.partition("?")[0] if "://" in key else key
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    called = _ALSO_CALLED.get(suffix.lower(), suffix.lower())
    if not (stem and dot and called in _registered()):
        known = ", ".join(f".{existing}" for existing in format_names())
        raise ConfigError([Problem("", f"{key}: its name tells no format that can be read ({known}); name the format")])
    return get_format(called, options)


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=_ENTRY_POINTS)}


def _missing(name: str) -> str:
    what = "is not read or written yet" if name in _NOT_YET else "is no format"
    return f"{name!r} {what}; there are {', '.join(format_names())} (set dataset.format to one of them)"
