# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workloads that come with the program, and how a source names one of them or a file."""

import difflib
from pathlib import Path

from dl_driver.errors import ConfigError, Problem

_FOLDER = Path(__file__).parent / "workloads"
_SUFFIXES = (".yaml", ".yml")


def bundled_names() -> list[str]:
    """Names of all bundled workloads, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find(source: str) -> Path:
    """The file that ``source`` means: a bundled name, or a path. Raises ConfigError where there is neither."""
    bundled = _FOLDER / f"{source}.yaml"
    if "/" not in source and bundled.is_file():
        return bundled
    path = Path(source).expanduser()
    if path.is_dir():
        raise ConfigError([Problem("", "is a folder; expected a workload file", source)])
    if path.exists():
        return path
    raise ConfigError([Problem("", _missing(source), source)])


def _missing(source: str) -> str:
    names = bundled_names()
    name = Path(source).stem if source.endswith(_SUFFIXES) else Path(source).name
    if "/" in source or source.endswith(_SUFFIXES):
        return "there is no such file" + (f"; {name} is the name of a bundled workload" if name in names else "")
    same = [name for name in names if name.lower() == source.lower()]
    near = (
        same
        or difflib.get_close_matches(source, names, n=3, cutoff=0.5)
        or difflib.get_close_matches(source.partition("_")[0], names, n=3, cutoff=0.4)
    )
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no such file and no bundled workload of this name{hint} (dl-driver workloads lists them all)"
