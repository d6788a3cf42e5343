# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML with the line of every key, without YAML 1.1's surprise: off, on, yes and no stay text."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from dl_driver.errors import ConfigError, Problem

Lines = Mapping[str, int]
"""Line of each dotted key."""


class _Loader(yaml.SafeLoader):
    """Booleans are true and false alone; 1e6 is a number."""


_Loader.yaml_implicit_resolvers = {
    letter: [
        (tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_FLOAT = r"^[-+]?(?:(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), list("-+0123456789."))


def read_yaml(text: str, file: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The content and the line of each key; raises ConfigError, with all duplicate keys at once."""
    loader = _Loader(text)
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    try:
        node = loader.get_single_node()
        content = None if node is None else _construct(loader, node, "", lines, problems, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError([Problem("", f"is no valid YAML: {error.problem}", file, line)]) from error
    except yaml.YAMLError as error:
        raise ConfigError([Problem("", f"is no valid YAML: {error}", file)]) from error
    finally:
        loader.dispose()
    if problems:
        raise ConfigError(problems)
    if not isinstance(content, dict):
        raise ConfigError([Problem("", "holds no workload; expected sections such as dataset: and reader:", file)])
    return content, lines


def _construct(
    loader: _Loader, node: yaml.Node, path: str, lines: dict[str, int], problems: list[Problem], file: str
) -> Any:
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node))
            below = f"{path}.{key}" if path else key
            line = key_node.start_mark.line + 1
            if key in result:
                problems.append(Problem(below, f"is set twice, first on line {lines[below]}", file, line))
            lines[below] = line
            result[key] = _construct(loader, value_node, below, lines, problems, file)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, path, lines, problems, file) for item in node.value]
    return loader.construct_object(node)
