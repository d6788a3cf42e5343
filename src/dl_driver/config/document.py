# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading YAML with its line numbers.

The rules are YAML 1.2's where they matter: ``off``, ``on``, ``yes`` and ``no`` stay text, for the schema to take as the
key wants, ``1e6`` is a number, and a key that stands twice is an error.
"""

import re
from collections.abc import Hashable
from pathlib import Path as FilePath
from typing import Any

import yaml

from dl_driver.config.settings import Path, Setting, flatten
from dl_driver.errors import ConfigError, Problem

_NEST = "workload"
_BESIDE_NEST = ("defaults", "hydra")
"""What Hydra keeps beside the workload."""
_PLAIN_RULES = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """YAML's safe subset under the rules above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to hold them

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses a key that stands twice; keys that a merge brought may be overridden."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no text", key.start_mark)
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Decimal or 0x; a leading zero means nothing."""
        text = str(node.value).replace("_", "")
        return int(text, 16 if "x" in text else 10)


for _tag, _pattern, _first in _PLAIN_RULES:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_settings(path: FilePath, name: str) -> list[Setting]:
    """The settings of a workload file, which may stand under a ``workload:`` of their own.
    Raises ConfigError naming the file as ``name``."""
    data, node = _parse(_read(path, name), name)
    if data is None:
        raise ConfigError([Problem("", "the file is empty; expected sections such as dataset and reader", name)])
    if not isinstance(data, dict):
        found = type(data).__name__
        raise ConfigError([Problem("", f"expected sections such as dataset and reader, found a {found}", name, 1)])
    nest: Path = ()
    if _NEST in data:
        _refuse_neighbours(data, node, name)
        data, nest = data[_NEST], (_NEST,)
        if not isinstance(data, dict):
            line = _line(node, nest)
            raise ConfigError([Problem(_NEST, f"expected a workload's sections, found {data!r}", name, line)])
    return list(flatten(data, (), lambda place: _line(node, (*nest, *place)), name)) if data else []


def _read(path: FilePath, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", name)]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("", f"is no text in UTF-8: byte {error.start} is not valid", name)]) from error


def _parse(text: str, name: str) -> tuple[Any, yaml.Node | None]:
    """The data, and the nodes that know their lines."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _refuse_cycles(node, set(), set())
        return (loader.construct_document(node) if node else None), node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = f"is not valid YAML: {error.problem or error.context}"
        raise ConfigError([Problem("", reason, name, mark.line + 1 if mark else None)]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError([Problem("", f"is not valid YAML: {str(error).splitlines()[0]}", name)]) from error


def _refuse_cycles(node: yaml.Node | None, above: set[int], done: set[int]) -> None:
    """An anchor whose own value refers to it describes a tree without end."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in done:
        return
    if id(node) in above:
        raise yaml.constructor.ConstructorError(None, None, "an anchor's value holds itself", node.start_mark)
    above.add(id(node))
    for item in node.value:
        for below in item if isinstance(item, tuple) else (item,):
            _refuse_cycles(below, above, done)
    above.remove(id(node))
    done.add(id(node))


def _refuse_neighbours(data: dict[str, Any], node: yaml.Node | None, name: str) -> None:
    strangers = [key for key in data if key != _NEST and key not in _BESIDE_NEST]
    if strangers:
        message = "stands beside workload:, where nothing is read; move it below"
        raise ConfigError([Problem(str(key), message, name, _line(node, (str(key),))) for key in strangers])


def _line(node: yaml.Node | None, path: Path) -> int | None:
    """Line of the key, or of the last part of the path that stands in the file."""
    line = None
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            break
        # Of keys that a merge brought and the file's own, the latter come last.
        found = next(((key, value) for key, value in reversed(node.value) if str(key.value) == name), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
