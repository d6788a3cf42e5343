# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m benchmarks [CASE ...|all] [OPTIONS]``: measure, print a table, write JSON; ``--help`` says the rest."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import rivals, table
from benchmarks.cases import SUBJECTS
from benchmarks.compare import Options
from benchmarks.measurement import Case, ContestantFailed
from dl_driver import __version__


def main() -> int:
    """Status 1 if a case could not be measured; a missed target is a result and no failure."""
    arguments = _arguments()
    chosen = list(SUBJECTS) if "all" in arguments.cases else arguments.cases
    options = Options(2 if arguments.quick else arguments.repeats, arguments.quick, _missing(arguments.alone))
    cases: list[Case] = []
    failed: dict[str, str] = {}
    for name in chosen:
        start = perf_counter()
        try:
            for case in SUBJECTS[name](options):
                cases.append(case)
                print("\n".join(table.lines(case)), flush=True)
        except ContestantFailed as failure:
            failed[name] = str(failure)
            print(f"\n{name}: could not be measured: {failure}", flush=True)
        print(f"{name}: {perf_counter() - start:.0f} s", file=sys.stderr)
    if arguments.json is not None:
        _write(arguments.json, _report(cases, failed, options))
    return 1 if failed else 0


def _missing(alone: bool) -> Mapping[str, str]:
    return dict.fromkeys(rivals.RIVALS, "left out by --alone") if alone else rivals.missing()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure dl-driver beside its rivals.")
    parser.add_argument("cases", nargs="*", default=["all"], metavar="CASE", help=f"all, or {', '.join(SUBJECTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, each turn included")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contestant (default 5)")
    parser.add_argument("--quick", action="store_true", help="small data sets, two turns: only to see that it works")
    parser.add_argument("--alone", action="store_true", help="without the rivals")
    arguments = parser.parse_args()
    unknown = [case for case in arguments.cases if case not in ("all", *SUBJECTS)]
    if unknown:
        parser.error(f"unknown case {', '.join(unknown)}; expected all or some of {', '.join(SUBJECTS)}")
    if arguments.repeats < 1:
        parser.error(f"--repeats {arguments.repeats}: expected at least 1")
    return arguments


def _report(cases: list[Case], failed: dict[str, str], options: Options) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "dl_driver": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "repeats": options.repeats,
        "quick": options.quick,
        "cases": [case.as_json() for case in cases],
        "failed": failed,
    }


def _write(path: Path, report: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.partial")
    temporary.write_text(json.dumps(report, indent=1) + "\n")
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
