# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the schema refuses, in words: the key, what was expected, what was found, the nearest valid key."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dl_driver.config.schema import Workload
from dl_driver.config.settings import Path, Setting
from dl_driver.errors import Problem

_KEEP_WORDS = 60
"""Characters of a found value that a message shows."""
_SECRETS = ("access_key_id", "secret_access_key", "session_token")


def explain(error: ValidationError, settings: Sequence[Setting], section: Path = ()) -> list[tuple[Path, Problem]]:
    """Each refusal as a Problem, with the path of the key at which it was found. ``section``: what was validated, where
    that is no whole workload."""
    return [_explain_one(detail, settings, section) for detail in error.errors(include_url=False)]


def _explain_one(detail: ErrorDetails, settings: Sequence[Setting], section: Path) -> tuple[Path, Problem]:
    path, inner = _split((*section, *detail["loc"]))
    message = _unknown(path, inner) if detail["type"] == "extra_forbidden" else _wrong(detail, path)
    if inner:
        message = f"at {'.'.join(str(part) for part in inner)}: {message}"
    setting = setting_at(settings, path)
    if setting is None:
        return path, Problem(".".join(path), message)
    key = setting.key if setting.path == path else ".".join(path)
    return path, Problem(key, message, setting.file, setting.line)


def setting_at(settings: Sequence[Setting], path: Path) -> Setting | None:
    """The setting that wrote this key, or the first one below it, or the one above it."""
    below = next((one for one in settings if one.path[: len(path)] == path), None)
    return below or next((one for one in settings if path[: len(one.path)] == one.path), None)


def _split(location: tuple[int | str, ...]) -> tuple[Path, tuple[int | str, ...]]:
    """The dotted key, and the place within its list where that is what is wrong."""
    until = next((index for index, part in enumerate(location) if isinstance(part, int)), len(location))
    return tuple(str(part) for part in location[:until]), location[until:]


def _unknown(path: Path, inner: tuple[int | str, ...]) -> str:
    names = [str(part) for part in (*path, *inner) if isinstance(part, str)]
    section = _section(tuple(names[:-1]))
    known = list(section.model_fields) if section else []
    if len(names) == 1 and (homes := _homes(names[0])):
        return f"unknown section; did you mean {' or '.join(homes)}?"
    near = difflib.get_close_matches(names[-1], known, n=1, cutoff=0.5)
    kind = "section" if len(names) == 1 else "key"
    if near:
        return f"unknown {kind}; did you mean {'.'.join([*names[:-1], near[0]])}?"
    if homes := _homes(names[-1]):
        return f"unknown {kind}; did you mean {' or '.join(homes)}?"
    where = ".".join(names[:-1])
    return f"unknown {kind}; {f'{where} has' if where else 'there are'} {', '.join(known)}"


def _section(path: Path) -> type[BaseModel] | None:
    """The model behind a path, through lists of models too."""
    model: type[BaseModel] | None = Workload
    for name in path:
        if model is None or name not in model.model_fields:
            return None
        model = _model_in(model.model_fields[name].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    parts = getattr(annotation, "__args__", ())
    return next((found for part in parts if (found := _model_in(part)) is not None), None)


def _homes(name: str) -> list[str]:
    """The sections in which a key of exactly this name lives, as dotted keys."""
    found = []
    for section, field in Workload.model_fields.items():
        model = _model_in(field.annotation)
        if model is not None and name in model.model_fields:
            found.append(f"{section}.{name}")
    return found[:2]


def _wrong(detail: ErrorDetails, path: Path) -> str:
    value = detail["input"]
    if path and path[-1] in _SECRETS:
        return "expected text"
    if detail["type"] in ("model_type", "model_attributes_type"):
        return f"expected a section with keys of its own, found {_shown(value)}"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return "is required"
    expected = detail["msg"].replace("Input should be", "expected", 1).replace(" or instance of", " or")
    return f"{expected}, found {_shown(value)}{_near_choice(detail, value)}"


def _near_choice(detail: ErrorDetails, value: Any) -> str:
    if detail["type"] not in ("enum", "literal_error") or not isinstance(value, str):
        return ""
    choices = [part for part in str(detail.get("ctx", {}).get("expected", "")).split("'") if part.isidentifier()]
    near = [name for name in difflib.get_close_matches(value, choices, n=1) if name != "or"]
    return f"; did you mean {near[0]}?" if near else ""


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(str, value)) or 'nothing in it'}"[:_KEEP_WORDS]
    text = repr(value)
    return text if len(text) <= _KEEP_WORDS else f"{text[:_KEEP_WORDS]}..."
