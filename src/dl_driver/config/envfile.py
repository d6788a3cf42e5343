# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``.env`` files: KEY=VALUE lines for the environment; what is set there already stays."""

import os
import re

from dl_driver.errors import ConfigError, Problem

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""")


def read_env_file(path: str) -> None:
    """Set what the file says; raises ConfigError with all lines that cannot be read, never showing values."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"the environment file cannot be read: {error}", path)]) from error
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            problems.append(Problem("", "is no line such as NAME=value", path, number))
            continue
        os.environ.setdefault(match[1], _value(match[2]))
    if problems:
        raise ConfigError(problems)


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return re.sub(r"\s+#.*", "", text)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted[1] is not None else quoted[2]
