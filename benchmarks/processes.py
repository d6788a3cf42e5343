# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contestants as processes: some stay and answer turn by turn, others are a command that is run anew."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter, sleep

from benchmarks.contestants.serve import MARK, process_tree
from benchmarks.measurement import ContestantFailed, Measurement

ROOT = Path(__file__).resolve().parent.parent
RIVALS_PYTHON = ROOT / ".venv-rivals" / "bin" / "python"
OUR_PYTHON = Path(sys.executable)
OUR_COMMAND = OUR_PYTHON.parent / "dl-driver"
_WATCH_SECONDS = 0.1


class Serving:
    """A module of benchmarks.contestants, in its own process for as long as it is wanted."""

    def __init__(
        self,
        name: str,
        how: str,
        python: Path,
        module: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.how = name, how
        self._errors = TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.contestants.{module}", *arguments],
            cwd=ROOT,
            env=os.environ | (environment or {}),
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


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ran to its end."""

    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float
    """Of all its processes."""
    peak_pss_bytes: int | None
    """Of all its processes together, shared pages counted once, as seen ten times a second; None unless watched."""


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    may_miss: bool = False,
    watch_memory: bool = False,
) -> Finished:
    """Run to the end. ``may_miss``: status 1 (a target missed) is no failure.
    Raises ContestantFailed with its last lines."""
    peak, before, start = 0, _children_cpu_seconds(), perf_counter()
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        while watch_memory and process.poll() is None:
            peak = max(peak, sum(map(_proportional_bytes, process_tree(process.pid))))
            sleep(_WATCH_SECONDS)
        status = process.wait()
        seconds, cpu = perf_counter() - start, _children_cpu_seconds() - before
        stdout.seek(0)
        stderr.seek(0)
        done = Finished(stdout.read(), stderr.read(), seconds, cpu, peak if watch_memory else None)
    if status not in ((0, 1) if may_miss else (0,)):
        tail = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise ContestantFailed(f"{Path(command[0]).name} ended with status {status}: {tail}")
    return done


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _proportional_bytes(pid: int) -> int:
    """0 for a process that ended meanwhile."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0
