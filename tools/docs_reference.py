# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the reference that the program itself can tell, as a hook of mkdocs.

A page holds ``<!-- generated: configuration -->`` (or ``commands``, ``workloads``) where the text belongs, so what it
says of keys, options and workloads cannot differ from the code.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from dl_driver.config.jsonschema import workload_schema
from dl_driver.config.sections.base import LARGEST, NoEffect, Section

Schema = dict[str, Any]
_SCRIPT = "from dl_driver.cli.main import main; main()"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    for name, make in GENERATED.items():
        marker = f"<!-- generated: {name} -->"
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return markdown


def configuration() -> str:
    """A heading and a table for each section."""
    definitions = workload_schema()["$defs"]
    parts = []
    for section, lines in _sections(definitions, "Workload", ""):
        heading = f"## {section}" if section else "## (top level)"
        parts.append("\n".join([heading, "", "| key | value | default | meaning |", "|---|---|---|---|", *lines]))
    return "\n\n".join(parts)


def _sections(definitions: dict[str, Schema], name: str, above: str) -> Iterator[tuple[str, list[str]]]:
    """Each section's dotted name and table rows, then those of the sections in it."""
    lines, below = [], []
    for key, field in definitions[name]["properties"].items():
        inner = _section_of(definitions, field)
        if inner:
            below.append((inner, f"{above}{key}" + ("[]" if _is_list(field) else "")))
        else:
            lines.append(_row(definitions, name, f"{above}{key}", key, field))
    if lines:
        yield above.removesuffix("."), lines
    for inner, path in below:
        yield from _sections(definitions, inner, f"{path}.")


def _row(definitions: dict[str, Schema], model: str, path: str, key: str, field: Schema) -> str:
    meaning = _models()[model].model_fields[key].description or ""
    why = _no_effect(model, key)
    if why:
        meaning += f" *No effect: {why}.*"
    return f"| `{path}` | {_values(definitions, field)} | {_default(field)} | {meaning} |".replace("\n", " ")


def _no_effect(model: str, key: str) -> str | None:
    field = _models()[model].model_fields[key]
    return next((mark.why for mark in field.metadata if isinstance(mark, NoEffect)), None)


def _models() -> dict[str, type[Section]]:
    found, todo = {}, [Section]
    while todo:
        model = todo.pop()
        found[model.__name__] = model
        todo += model.__subclasses__()
    return found


def _options(field: Schema) -> list[Schema]:
    """The alternatives of a field, null left out."""
    return [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]


def _target(option: Schema) -> str | None:
    """The definition that an option, or the items of a list, points at."""
    where = option.get("items", option) if option.get("type") == "array" else option
    if "allOf" in where:
        where = where["allOf"][0]
    return where["$ref"].rpartition("/")[2] if "$ref" in where else None


def _is_list(field: Schema) -> bool:
    return any(option.get("type") == "array" for option in _options(field))


def _section_of(definitions: dict[str, Schema], field: Schema) -> str | None:
    """The section that a field is, or is a list of."""
    targets = [_target(option) for option in _options(field)]
    return next((one for one in targets if one and "properties" in definitions[one] and one in _models()), None)


def _values(definitions: dict[str, Schema], field: Schema) -> str:
    kinds = []
    for option in _options(field):
        target = _target(option)
        kinds.append(_kind(definitions[target] if target else option))
    return " or ".join(dict.fromkeys(kinds))


def _kind(option: Schema) -> str:
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option.get("type") == "array":
        return "list"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`"}
    kind = words.get(str(option.get("type")), "mapping")
    # What 64 bits hold bounds every number and says nothing of a key.
    bounds = [f"{sign} {option[name]:g}" for name, sign in _BOUNDS.items() if option.get(name, LARGEST) < LARGEST]
    return " ".join([kind, *bounds])


_BOUNDS = {"minimum": "&ge;", "exclusiveMinimum": "&gt;", "maximum": "&le;"}


def _default(field: Schema) -> str:
    if "default" not in field:
        return "required"
    value = field["default"]
    if value is None or value in ([], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands() -> str:
    """What --help prints."""
    overview = _output("--help")
    names = [line.split()[0] for line in overview.partition("\nCommands:\n")[2].splitlines() if line.strip()]
    texts = [f"```text\n$ dl-driver --help\n\n{overview}```"]
    texts += [f"## {name}\n\n```text\n$ dl-driver {name} --help\n\n{_output(name, '--help')}```" for name in names]
    return "\n\n".join(texts)


def workloads() -> str:
    """What ``dl-driver workloads`` prints."""
    return f"```text\n{_output('workloads')}```"


def _output(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


GENERATED: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "commands": commands,
    "workloads": workloads,
}
