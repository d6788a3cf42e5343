# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration as a list of settings: dotted key, value, and where it was written.

Spellings are translated and overrides laid over a file setting by setting, so that whatever the schema refuses later
can be traced to its file and line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dl_driver.errors import Problem

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key and its value: a scalar, a list, or an empty mapping."""

    path: Path
    value: Any
    file: str | None = None
    line: int | None = None
    written: str = ""
    """The key as its author spelled it; empty where that is ``path``."""

    @property
    def key(self) -> str:
        """Dotted, as its author spelled it."""
        return self.written or ".".join(self.path)

    @property
    def where(self) -> str:
        """File, line and key, to begin a message with."""
        return f"{self.file}:{self.line}: {self.key}: " if self.line else f"{self.key}: "

    def moved(self, path: Path, value: Any) -> "Setting":
        """The same setting in other words."""
        return replace(self, path=path, value=value, written=self.key)

    def problem(self, message: str) -> Problem:
        """Something wrong with this setting."""
        return Problem(self.key, message, self.file, self.line)


def flatten(value: Any, path: Path, line_of: Callable[[Path], int | None], file: str | None) -> Iterator[Setting]:
    """The settings below a value. A mapping within a list stays part of that list."""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from flatten(below, (*path, str(name)), line_of, file)
    else:
        yield Setting(path, value, file, line_of(path))


def overlay(settings: Sequence[Setting], upper: Iterable[Setting]) -> list[Setting]:
    """The settings with others laid over them: an upper one replaces what stands at, below or above its key."""
    above = list(upper)
    kept = [setting for setting in settings if not any(_overlap(setting.path, one.path) for one in above)]
    return kept + above


def without(settings: Sequence[Setting], path: Path) -> list[Setting]:
    """The settings less those at or below a path."""
    return [setting for setting in settings if setting.path[: len(path)] != path]


def tree(settings: Iterable[Setting]) -> dict[str, Any]:
    """The settings as nested dictionaries. A null is no setting: its key keeps its default."""
    root: dict[str, Any] = {}
    for setting in settings:
        if is_null(setting.value):
            continue
        node = root
        for name in setting.path[:-1]:
            node = node.setdefault(name, {})
        node[setting.path[-1]] = setting.value
    return root


def is_null(value: Any) -> bool:
    """Whether a value says "nothing": YAML's null, or Python's name for it, which dlio_benchmark's users write."""
    return value is None or (isinstance(value, str) and value == "None")


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
