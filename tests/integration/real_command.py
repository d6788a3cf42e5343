# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real command in a process of its own, for tests of how it ends and of what it leaves behind."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-c", "from dl_driver.cli.main import main; main()")
_PATIENCE_S = 60


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    def message(self) -> str:
        """Its only line of error; fails where there are others, a traceback above all."""
        lines = [line for line in self.err.splitlines() if line.startswith("dl-driver: ")]
        assert "Traceback" not in self.err, self.err
        assert len(lines) == 1, self.err
        return lines[0]


def dl_driver(*arguments: object, prefix: tuple[str, ...] = (), **more: object) -> Ended:
    """Run it to its end."""
    running = start(*arguments, prefix=prefix, **more)
    return finish(running)


def start(
    *arguments: object, prefix: tuple[str, ...] = (), env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.Popen[str]":
    """Start it in a process group of its own."""
    return subprocess.Popen(
        [*prefix, *COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )


def finish(running: "subprocess.Popen[str]") -> Ended:
    """Wait for its end; a hang is a failure."""
    try:
        out, err = running.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return Ended(running.returncode, out, err)


def children(running: "subprocess.Popen[str]") -> list[int]:
    """The process's children."""
    try:
        return [int(pid) for pid in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def gone(pid: int) -> bool:
    """Whether a process has ended, or waits only for its parent to take notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.01)


def without_override_of_permissions() -> tuple[str, ...]:
    """A command before the command, under which permissions bind root too; empty where they bind in any case."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search")
