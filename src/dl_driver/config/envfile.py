# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environment variables from a file, such as credentials: ``KEY=VALUE`` a line.

The environment itself wins. Values are secrets: no message shows one.
"""

import os
import re
from pathlib import Path

from dl_driver.errors import ConfigError, Problem

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?!['"])(?:(?!\s\#|\s*$).)*))
    \s*(?:(?<=\s)\#.*)?$""",
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read_env_file(path: str) -> list[str]:
    """Set what the environment lacks; returns the names set. Raises ConfigError with every bad line."""
    variables, problems = _parse(_read(path), path)
    if problems:
        raise ConfigError(problems)
    fresh = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in fresh})
    return fresh


def _read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", path)]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("", "is no text in UTF-8", path)]) from error


def _parse(text: str, path: str) -> tuple[dict[str, str], list[Problem]]:
    variables: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            problems.append(Problem("", "expected NAME=VALUE, quotes closed", path, number))
        else:
            variables[match["name"]] = _value(match)
    return variables, problems


def _value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return match["plain"]
