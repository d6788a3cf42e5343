# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contestants as processes: some stay and answer turn by turn, others are a command that is run anew."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.contestants.serve import MARK
from benchmarks.measurement import ContestantFailed, Measurement

ROOT = Path(__file__).resolve().parent.parent
RIVALS_PYTHON = ROOT / ".venv-rivals" / "bin" / "python"
OUR_PYTHON = Path(sys.executable)
OUR_COMMAND = OUR_PYTHON.parent / "dl-driver"


class Serving:
    """A module of benchmarks.contestants, in its own process for as long as it is wanted."""

    def __init__(self, name: str, how: str, python: Path, module: str, arguments: Sequence[str]) -> None:
        self.name, self.how = name, how
        self._errors = TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.contestants.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def measure(self) -> Measurement:
        """See Contestant."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContestantFailed(self._reason()) from None
        for line in self._process.stdout:
            if line.startswith(MARK):
                return Measurement(**json.loads(line[len(MARK) :]))
        raise ContestantFailed(self._reason())

    def close(self) -> None:
        """See Contestant."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _reason(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines() or ["it said nothing"]
        return f"{self.name} ended with status {status}: {lines[-1]}"


class Repeated:
    """A function that runs a command and measures it."""

    def __init__(self, name: str, how: str, measure: Callable[[], Measurement]) -> None:
        self.name, self.how, self._measure = name, how, measure

    def measure(self) -> Measurement:
        """See Contestant."""
        return self._measure()

    def close(self) -> None:
        """Nothing stays."""


def run(command: Sequence[str | Path], *, cwd: Path | None = None, may_miss: bool = False) -> str:
    """Run to the end and return its stdout. ``may_miss``: status 1 (a target missed) is no failure.
    Raises ContestantFailed with its last lines."""
    environment = os.environ | {"PATH": f"{RIVALS_PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in ((0, 1) if may_miss else (0,)):
        tail = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise ContestantFailed(f"{Path(command[0]).name} ended with status {done.returncode}: {tail}")
    return done.stdout
