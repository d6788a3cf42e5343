# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a file or a bundled name to a checked Workload, with every problem at once."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ValidationError

from dl_driver.config import schema
from dl_driver.config.dialects import translate
from dl_driver.config.envfile import read_env_file
from dl_driver.config.overrides import SOURCE, apply_overrides
from dl_driver.config.schema import NO_EFFECT, Workload
from dl_driver.config.yamlfile import read_yaml
from dl_driver.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class LoadedWorkload:
    """A workload and where it came from."""

    workload: Workload
    source: str
    warnings: tuple[str, ...]
    composed: Mapping[str, Any]
    """The whole workload as plain data, defaults included."""


def bundled_names() -> tuple[str, ...]:
    """The workloads that come with the package, sorted."""
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))
    )


def load(source: str, overrides: Sequence[str] = (), *, env_file: str | None = None) -> LoadedWorkload:
    """``source``: a file's path or a bundled name. Raises ConfigError."""
    if env_file is not None:
        read_env_file(env_file)
    text, file = _read(source)
    content, lines = read_yaml(text, file)
    if isinstance(content.get("workload"), dict):
        content = content["workload"]
        lines = {key.removeprefix("workload."): line for key, line in lines.items()}
    sources = apply_overrides(content, overrides)
    warnings, problems, renamed = translate(content)
    places = _Places(file, lines, sources, renamed)
    try:
        workload = Workload.model_validate(content)
    except ValidationError as error:
        problems += [places.problem(details) for details in error.errors()]
    else:
        workload = _with_deviations(workload)
        warnings += [f"{key} {what}" for key, what in NO_EFFECT.items() if _is_set(content, key)]
    if problems:
        raise ConfigError([places.placed(problem) for problem in problems])
    return LoadedWorkload(workload, source, tuple(warnings), workload.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where keys were set."""

    file: str
    lines: Mapping[str, int]
    sources: Mapping[str, str]
    renamed: Mapping[str, str]

    def problem(self, details: Any) -> Problem:
        """One of pydantic's errors in our words."""
        path = ".".join(str(part) for part in details["loc"] if not isinstance(part, int))
        message = details["msg"].removeprefix("Value error, ")
        if details["type"] == "extra_forbidden":
            message = "is no known key" + _nearest(path)
        elif details["type"] not in ("value_error", "missing"):
            message = f"is {details['input']!r}; {message[0].lower()}{message[1:]}"
        return Problem(path, message)

    def placed(self, problem: Problem) -> Problem:
        """With file and line, or the override."""
        path = problem.path
        old = self.renamed.get(path, path)
        if path in self.sources or old in self.sources:
            return Problem(path, problem.message, SOURCE)
        line = self.lines.get(old) or self.lines.get(path) or self.lines.get(old.rpartition(".")[0])
        return Problem(path, problem.message, self.file, line)


def known_keys(model: type[BaseModel] = Workload, prefix: str = "") -> list[str]:
    """Every dotted key of the schema."""
    keys = []
    for name, info in model.model_fields.items():
        keys.append(prefix + name)
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, schema.Section):
            keys += known_keys(kind, f"{prefix}{name}.")
    return keys


def _nearest(path: str) -> str:
    keys = known_keys()
    last = path.rpartition(".")[2]
    near = difflib.get_close_matches(path, keys, 1, 0.75)
    if not near:
        near = [key for key in keys if key.rpartition(".")[2] == last][:1] or difflib.get_close_matches(
            path, keys, 1, 0.5
        )
    return f"; did you mean {near[0]}?" if near else ""


def _is_set(content: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return content is not None


def _with_deviations(workload: Workload) -> Workload:
    """Deviations that are given beside a time become part of it."""
    changes: dict[str, Any] = {}
    for section, time in (("train", "computation_time"), ("evaluation", "eval_time"), ("reader", "preprocess_time")):
        values = getattr(workload, section)
        stdev = getattr(values, f"{time}_stdev")
        if stdev is not None:
            changes[section] = values.model_copy(update={time: getattr(values, time).with_stdev(stdev)})
    return workload.model_copy(update=changes)


def _folder() -> Any:
    return files("dl_driver.config") / "workloads"


def _read(source: str) -> tuple[str, str]:
    if os.path.exists(source) and not os.path.isdir(source):
        try:
            with open(source, encoding="utf-8") as file:
                return file.read(), source
        except OSError as error:
            raise ConfigError([Problem("", f"cannot be read: {error.strerror}", source)]) from error
        except UnicodeDecodeError:
            raise ConfigError([Problem("", "is no text in UTF-8", source)]) from None
    bundled = _folder() / f"{source}.yaml"
    if "/" not in source and bundled.is_file():
        return bundled.read_text(encoding="utf-8"), f"{source}.yaml"
    near = difflib.get_close_matches(source, bundled_names(), 3, 0.5)
    hint = f"; near names: {', '.join(near)}" if near else "; `dl-driver workloads` lists the bundled ones"
    raise ConfigError([Problem("", f"{source!r} is neither a file nor a bundled workload{hint}")])
