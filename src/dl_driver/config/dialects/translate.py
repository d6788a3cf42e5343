# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings in any spelling become settings in today's."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dl_driver.config.dialects import older_dlio, rust
from dl_driver.config.dialects.spelling import Key, Section
from dl_driver.config.secrets import is_secret
from dl_driver.config.settings import Path, Setting, is_null
from dl_driver.errors import Problem

_SHORT = Section("storage.options", "storage.storage_options")
_SECTIONS: tuple[Section, ...] = (_SHORT, *older_dlio.SECTIONS, *rust.SECTIONS)
_KEYS: dict[Path, Key] = {tuple(row.old.split(".")): row for row in (*older_dlio.KEYS, *rust.KEYS)}
_DROPPED: dict[Path, str] = {tuple(row.old.split(".")): row.why for row in rust.DROPPED}


class Translated(NamedTuple):
    """Settings in today's spelling, what cannot be translated, and what was left out."""

    settings: list[Setting]
    problems: list[Problem]
    warnings: list[str]


def translate(settings: Sequence[Setting], framework: str) -> Translated:
    """Today's spelling of every setting. Two spellings of one key that differ are a Problem for the second."""
    result = Translated([], [], [])
    for setting in settings:
        _translate_one(setting, framework, result)
    kept: dict[Path, Setting] = {}
    for setting in result.settings:
        first = kept.setdefault(setting.path, setting)
        if not _same(first.value, setting.value):
            result.problems.append(_conflict(first, setting))
    return result._replace(settings=list(kept.values()))


def today(path: Path) -> list[Path]:
    """Where a path, of a key or of a section, is today; in any framework's profile."""
    moved = _moved(path, None) or path
    row = _KEYS.get(moved)
    return [tuple(name.split(".")) for name in row.new] if row else [moved]


def framework_of(settings: Sequence[Setting], default: str) -> str:
    """The framework that the settings name, in either spelling; the last one counts."""
    places = (("framework",), ("model", "framework"))
    return next((str(one.value).lower() for one in reversed(settings) if one.path in places), default)


def _translate_one(setting: Setting, framework: str, result: Translated) -> None:
    path = _moved(setting.path, framework)
    if path is None:
        result.warnings.append(f"{setting.where}has no effect here: the framework is {framework}")
    elif path in _DROPPED:
        result.warnings.append(f"{setting.where}has no effect here: {_DROPPED[path]}")
    elif (row := _KEYS.get(path)) is None:
        result.settings.append(setting if path == setting.path else setting.moved(path, setting.value))
    else:
        try:
            result.settings.extend(_renamed(setting, row))
        except ValueError as error:
            result.problems.append(setting.problem(str(error)))


def _renamed(setting: Setting, row: Key) -> Iterator[Setting]:
    value = setting.value if row.convert is None or is_null(setting.value) else row.convert(setting.value)
    for name in row.new:
        yield setting.moved(tuple(name.split(".")), value)


def _moved(path: Path, framework: str | None) -> Path | None:
    """The path with its sections' names of today; None where it belongs to another framework.
    Without a framework, any profile counts."""
    for row in _SECTIONS:
        old = tuple(row.old.split("."))
        if path[: len(old)] != old:
            continue
        if row.framework and framework and row.framework != framework:
            return None
        path = (*row.new.split("."), *path[len(old) :])
    return path


def _same(one: Any, other: Any) -> bool:
    """Equal, or the same thing written in another way."""
    return bool(one == other) or str(one) == str(other)


def _conflict(first: Setting, second: Setting) -> Problem:
    where = f" (line {first.line})" if first.line else ""
    if is_secret(second.path[-1]):
        return second.problem(f"and {first.key}{where}, which means the same, differ")
    return second.problem(f"is {second.value!r}, and {first.key}{where}, which means the same, is {first.value!r}")
