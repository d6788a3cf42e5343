# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides from the command line, in Hydra's grammar; applied to plain data before anything is checked."""

from collections.abc import Sequence
from typing import Any

from dl_driver.errors import ConfigError, Problem

SOURCE = "override"


def apply_overrides(content: dict[str, Any], overrides: Sequence[str]) -> dict[str, str]:
    """Change ``content``; returns the override that set each dotted key. Keys may begin with ``workload.``, values follow
    Hydra's grammar (numbers, booleans, null, lists, dicts, quotes), ``~key`` removes. Raises ConfigError with all
    that cannot be understood."""
    if not overrides:
        return {}
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser, problems, sources = OverridesParser.create(), [], {}
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            reason = str(error).splitlines()[0]
            problems.append(Problem("", f"{text!r} is no override such as reader.batch_size=8: {reason}", SOURCE))
            continue
        path = override.key_or_group.removeprefix("workload.")
        if override.is_sweep_override():
            problems.append(Problem(path, f"{text!r} gives several values; lists are written [a,b]", SOURCE))
        elif override.is_delete():
            _delete(content, path, text, problems)
        elif path.startswith("hydra."):
            continue
        else:
            _set(content, path, _plain(override.value()), text, problems)
            sources[path] = text
    if problems:
        raise ConfigError(problems)
    return sources


def _plain(value: Any) -> Any:
    """Hydra's quoted strings as text, in lists and dicts too."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    text = getattr(value, "text", None)
    return text if isinstance(text, str) else value


def _set(content: dict[str, Any], path: str, value: Any, text: str, problems: list[Problem]) -> None:
    *parents, last = path.split(".")
    at: Any = content
    for parent in parents:
        below = at.setdefault(parent, {})
        if below is None:
            below = at[parent] = {}
        if not isinstance(below, dict):
            problems.append(Problem(path, f"{text!r}: {parent} holds a value, not a section", SOURCE))
            return
        at = below
    at[last] = value


def _delete(content: dict[str, Any], path: str, text: str, problems: list[Problem]) -> None:
    *parents, last = path.split(".")
    at: Any = content
    for parent in parents:
        at = at.get(parent) if isinstance(at, dict) else None
    if not isinstance(at, dict) or last not in at:
        problems.append(Problem(path, f"{text!r}: there is no such key to remove", SOURCE))
        return
    del at[last]
