# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``open_loader`` takes: every value that is out of range is told at once, before a process is started."""

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from dl_driver.errors import ConfigError, Problem

_AT_LEAST_ONE = (
    "batch_size",
    "samples_per_file",
    "ranks",
    "workers",
    "readers",
    "max_inflight",
    "readahead",
    "max_sample_bytes",
)
_CHOICES = {"order": ("plan", "completion"), "engine": ("auto", "ring", "threads")}


def check(arguments: Mapping[str, Any]) -> None:
    """Raises ConfigError. None stands for a value that the loader finds by itself."""
    given = {name: value for name, value in arguments.items() if value is not None}
    problems = [*_out_of_range(given), *_unknown(given), *_outside(given)]
    if problems:
        raise ConfigError(problems)


def uri_of(place: "str | os.PathLike[str]") -> str:
    """The URI that a path or a URI means. Raises ConfigError where it is empty."""
    text = os.fspath(place)
    if not isinstance(text, str) or not text:
        raise ConfigError([Problem("uri", f"expected a path or a URI, found {text!r}")])
    return text if "://" in text else f"file://{text}"


def _out_of_range(given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _AT_LEAST_ONE:
        if name in given and not _is_whole(given[name], 1):
            yield Problem(name, f"{given[name]!r} is out of range; expected a whole number of at least 1")
    if not _is_whole(given["crop_bytes"], 0):
        yield Problem("crop_bytes", f"{given['crop_bytes']!r} is out of range; expected a whole number, 0 for all")
    timeout = given.get("timeout", 1)
    if not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        yield Problem("timeout", f"{timeout!r} is out of range; expected seconds, more than 0")


def _unknown(given: Mapping[str, Any]) -> Iterator[Problem]:
    for name, choices in _CHOICES.items():
        if given[name] not in choices:
            expected = " or ".join(repr(choice) for choice in choices)
            yield Problem(name, f"{given[name]!r} is unknown; expected {expected}")


def _outside(given: Mapping[str, Any]) -> Iterator[Problem]:
    rank, ranks = given["rank"], given["ranks"]
    if _is_whole(ranks, 1) and not (_is_whole(rank, 0) and rank < ranks):
        yield Problem("rank", f"{rank!r} is out of range; of {ranks} ranks they are 0 to {ranks - 1}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and value >= least
