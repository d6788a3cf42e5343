# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a source and overrides to a workload: read, lay over, translate, validate, check.

Whatever is wrong is collected and reported at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dl_driver.config.bundled import find
from dl_driver.config.checks import Conflict, conflicts
from dl_driver.config.dialects.translate import Translated, framework_of, today, translate
from dl_driver.config.document import read_settings
from dl_driver.config.envfile import read_env_file
from dl_driver.config.explain import explain, setting_at
from dl_driver.config.interpolation import resolve
from dl_driver.config.overrides import ORIGIN, Override, parse_overrides
from dl_driver.config.schema import Workload
from dl_driver.config.sections.base import NoEffect, Section
from dl_driver.config.sections.workflow import Framework
from dl_driver.config.settings import Path, Setting, overlay, tree, without
from dl_driver.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class LoadedWorkload:
    """A workload, and what is to be said about how it came about."""

    workload: Workload
    source: str
    """The file or bundled name."""
    warnings: tuple[str, ...]
    composed: dict[str, Any]
    """The whole workload, defaults included, as plain data under dlio_benchmark's names; secrets masked."""


def load(source: str, overrides: Sequence[str] = (), *, env_file: str | None = None) -> LoadedWorkload:
    """The workload that a file or a bundled name describes, overrides laid over it.
    Raises ConfigError with every problem found."""
    if env_file is not None:
        read_env_file(env_file)
    path = find(source)
    translated = _gather(read_settings(path, source), overrides)
    workload = _validate(translated.settings, translated.problems)
    warnings = [*translated.warnings, *_without_effect(workload, translated.settings)]
    return LoadedWorkload(workload, source, tuple(warnings), workload.model_dump(mode="json"))


def _gather(from_file: list[Setting], texts: Sequence[str]) -> Translated:
    """The file's settings and the overrides', in today's spelling, in one list."""
    parsed, problems = parse_overrides(texts)
    lower, upper = resolve(from_file, _laid_together(parsed))
    framework = framework_of([*lower, *upper], Framework.TENSORFLOW)
    below, above = translate(lower, framework), translate(upper, framework)
    settings = below.settings
    problems += _removals_of_nothing(parsed, [*from_file, *settings])
    for override in parsed:
        settings = _without_all(settings, override)
    return Translated(
        overlay(settings, above.settings),
        [*problems, *below.problems, *above.problems],
        [*below.warnings, *above.warnings],
    )


def _laid_together(parsed: Sequence[Override]) -> list[Setting]:
    """The overrides' settings, a later one over an earlier one of the same key."""
    settings: list[Setting] = []
    for override in parsed:
        settings = overlay(_without_all(settings, override), override.settings)
    return settings


def _removals_of_nothing(parsed: Sequence[Override], settings: list[Setting]) -> Iterator[Problem]:
    """As Hydra: who removes a key that nobody has set meant another one."""
    for override in parsed:
        if not override.settings and len(_without_all(settings, override)) == len(settings):
            key = ".".join(override.path)
            yield Problem(f"~{key}", "there is nothing to remove: neither the file nor an override sets it", ORIGIN)
        settings = overlay(_without_all(settings, override), override.settings)


def _without_all(settings: list[Setting], override: Override) -> list[Setting]:
    """For a removal: the settings less what it removes, in any spelling."""
    if not override.settings:
        for path in (override.path, *today(override.path)):
            settings = without(settings, path)
    return settings


def _validate(settings: list[Setting], problems: list[Problem]) -> Workload:
    """The workload; raises ConfigError with these problems and all that the schema and the checks add."""
    workload, refused = _parse(settings)
    found = [*problems, *(problem for _, problem in refused)]
    if refused:
        # What is left without the refused keys still shows impossible combinations among the others.
        for path, _ in refused:
            settings = without(settings, _refused_setting(settings, path))
        workload, _ = _parse(settings)
    if workload is not None:
        bad = {".".join(path) for path, _ in refused}
        found += [_problem(one, settings) for one in conflicts(workload) if not bad.intersection(one.keys)]
    if found or workload is None:
        raise ConfigError(found)
    return workload


def _refused_setting(settings: list[Setting], path: Path) -> Path:
    setting = setting_at(settings, path)
    return path if setting is None or len(setting.path) > len(path) else setting.path


def _parse(settings: Sequence[Setting]) -> tuple[Workload | None, list[tuple[Path, Problem]]]:
    try:
        return Workload.model_validate(tree(settings)), []
    except ValidationError as error:
        return None, explain(error, settings)


def _problem(conflict: Conflict, settings: Sequence[Setting]) -> Problem:
    """A conflict, at the first of its keys that somebody wrote."""
    for key in conflict.keys:
        path = tuple(key.split("."))
        written = next((one for one in settings if one.path[: len(path)] == path), None)
        if written is not None:
            return Problem(conflict.keys[0], conflict.message, written.file, written.line)
    return Problem(conflict.keys[0], conflict.message)


def _without_effect(workload: Workload, settings: Sequence[Setting]) -> list[str]:
    """One warning for each key that somebody set to something else than its default, and that changes nothing."""
    warnings = []
    for path, why in _ignored(workload, ()):
        setting = next((one for one in settings if one.path[: len(path)] == path), None)
        if setting is not None:
            warnings.append(f"{setting.where}has no effect here: {why}")
    return warnings


def _ignored(section: Section, path: Path) -> Iterator[tuple[Path, str]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _ignored(value, (*path, name))
        for mark in field.metadata:
            if isinstance(mark, NoEffect) and value != field.default:
                yield (*path, name), mark.why
