# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""File formats, one a file; found by name through the entry points ``dl_driver.formats``."""

from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from dl_driver.errors import ConfigError, Problem
from dl_driver.formats.base import DEFAULTS, Format, FormatOptions
from dl_driver.formats.packed import Packed
from dl_driver.formats.packing import by_suffix, packed_suffix

_ENTRY_POINTS = "dl_driver.formats"

_ALSO_CALLED = {"jpg": "jpeg"}
"""Formats by other suffixes of theirs."""


def format_names() -> tuple[str, ...]:
    """The formats that exist here, sorted."""
    return tuple(sorted(_registered()))


def get_format(name: str, options: FormatOptions = DEFAULTS) -> Format:
    """A new instance, with caches of its own; raises ConfigError for a format that does not exist here, or for options
    that it cannot follow."""
    entry = _registered().get(name)
    if entry is None:
        raise ConfigError([Problem("dataset.format", _missing(name))])
    made = entry.load()
    if options.compression in getattr(made, "packs", ()):
        return Packed(made(replace(options, compression="none")), options)
    file_format: Format = made(options)
    return file_format


@cache
def file_suffix(name: str, compression: str) -> str:
    """What names of a format's files end in, without the first dot, such as ``csv.gz``."""
    entry = _registered().get(name)
    packed = entry is not None and compression in getattr(entry.load(), "packs", ())
    return name + packed_suffix(compression) if packed else name


def detect_format(key: str, options: FormatOptions = DEFAULTS) -> Format:
    """The format that a file's name or URI tells by its suffix, or the last two (``csv.gz``); raises ConfigError where
    it tells none, or another compression than the options."""
    path = key.partition("?")[0] if "://" in key else key
    name = path.rpartition("/")[2]
    name, options = _without_packing(name, options)
    stem, dot, suffix = name.rpartition(".")
    called = _ALSO_CALLED.get(suffix.lower(), suffix.lower())
    if not (stem and dot and called in _registered()):
        known = ", ".join(f".{existing}" for existing in format_names())
        raise ConfigError([Problem("", f"{key}: its name tells no format that can be read ({known}); name the format")])
    return get_format(called, options)


def named_format(name: str, key: str, options: FormatOptions) -> Format:
    """The format of that name, with the compression that a file's name (``a.csv.gz``) tells where no other is asked
    for."""
    stem, told = _without_packing(key, options)
    return get_format(name, told if stem.lower().endswith(f".{name}") else options)


def _without_packing(name: str, options: FormatOptions) -> tuple[str, FormatOptions]:
    """A name without the suffix of a compression, and the options with that compression; both as they are where the
    name tells none."""
    stem, _, suffix = name.rpartition(".")
    compression = by_suffix(suffix)
    if compression is None or "." not in stem:
        return name, options
    if options.compression not in ("none", compression):
        message = f"{name}: its name tells {compression}, but {options.compression} was asked for"
        raise ConfigError([Problem("compression", message)])
    return stem, replace(options, compression=compression)


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=_ENTRY_POINTS)}


def _missing(name: str) -> str:
    # Here, not above: the configuration takes long to import, and workers do without it.
    from dl_driver.config.sections.dataset import HDF5_OPT

    known = f"there are {', '.join(format_names())} (set dataset.format to one of them)"
    return f"{name!r} is no format; {HDF5_OPT if name == 'hdf5_opt' else known}"
