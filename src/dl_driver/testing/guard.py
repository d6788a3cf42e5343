# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other programs as servers for a test: they start, answer, stay within bounds, and end however the test ends.

Between the test and the server stands a guard, a small process of its own. It ends the server when its channel to the
test closes, for which the test may well have been killed; when the server takes more memory than it may; and when its
time is over. The kernel ends the server should the guard itself die.
"""

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dl_driver.errors import DlDriverError
from dl_driver.processes import WorkerProcess, describe_exit

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 2000
_libc = ctypes.CDLL(None)


class ServerMissingError(DlDriverError):
    """The program is not installed; the message says how to get it. A test skips with it as the reason."""


class ServerError(DlDriverError):
    """A server did not start, or ended before its time; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server may take before it is ended."""

    memory_bytes: int = 2 << 30
    """Resident memory of all its processes together."""
    lifetime_s: float = 1800.0
    start_s: float = 60.0
    """Until its first answer."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started."""

    arguments: Sequence[str]
    folder: str
    """Where it runs and where its log is written."""
    environment: Mapping[str, str]
    """Beside this process's own."""

    @property
    def log(self) -> Path:
        """All that the server prints."""
        return Path(self.folder, "server.log")


class GuardedServer:
    """A server under guard."""

    def __init__(self, command: Command, bounds: Bounds) -> None:
        self.command, self._bounds = command, bounds
        self._guard = WorkerProcess("dl_driver.testing.guard:stand_guard", (command, bounds))
        self._started = time.monotonic()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return once ``ready`` says yes. Raises ServerError where the server ends first or is too slow."""
        while not ready():
            ended = self.why_ended()
            if ended is not None:
                raise ServerError(f"{self.command.arguments[0]} {ended} before it answered:{self._log_tail()}")
            if time.monotonic() - self._started > self._bounds.start_s:
                raise ServerError(
                    f"{self.command.arguments[0]} gave no answer in {self._bounds.start_s:g} s:{self._log_tail()}"
                )
            time.sleep(0.02)

    def why_ended(self) -> str | None:
        """What ended the server, in words; None while it runs."""
        channel = self._guard.channel
        try:
            return str(channel.recv()) if channel.poll(0) else None
        except (EOFError, OSError):
            return "lost its guard"

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        self._guard.close(timeout=15.0)

    def _log_tail(self) -> str:
        try:
            return "\n" + self.command.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return " it wrote no log"


@contextmanager
def guarded(
    arguments: Sequence[str],
    folder: str | Path,
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    bounds: Bounds | None = None,
) -> Iterator[GuardedServer]:
    """The server, answering; ended when the block is left."""
    server = GuardedServer(Command(tuple(arguments), str(folder), environment or {}), bounds or Bounds())
    try:
        server.wait_until(ready)
        yield server
    finally:
        server.stop()


@contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """A temporary folder for a server's data."""
    with tempfile.TemporaryDirectory(prefix=f"dl-driver-{name}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody uses now, all different, below those that the kernel hands out to clients, so
    that no connection takes one before its server does."""
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    ports: list[int] = []
    start = int.from_bytes(os.urandom(2))
    span = first_of_clients - 1024 - _PORTS_APART
    for step in range(span):
        port = 1024 + (start + step) % span
        # Servers such as SeaweedFS also take the port ten thousand above for themselves.
        if _is_free(port) and _is_free(port + _PORTS_APART):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise ServerError(f"found no {count} free ports between 1024 and {first_of_clients} on 127.0.0.1")


_PORTS_APART = 10_000


def free_port() -> int:
    """See free_ports."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def stand_guard(channel: "Connection[Any, Any]", payload: tuple[Command, Bounds]) -> None:
    """The guard's process: start the server, watch it, end it."""
    command, bounds = payload
    with command.log.open("wb") as log:
        server = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the guard has no other thread
        )
    try:
        channel.send(_watch(channel, server, bounds))
        channel.recv_bytes()
    except (EOFError, OSError):
        pass  # The test is done with the server, or gone.
    finally:
        _end(server)


def _watch(channel: "Connection[Any, Any]", server: "subprocess.Popen[bytes]", bounds: Bounds) -> str:
    """Why the server ended. Raises EOFError when the channel closes."""
    deadline = time.monotonic() + bounds.lifetime_s
    while server.poll() is None:
        if channel.poll(0.25):
            channel.recv_bytes()
        if time.monotonic() > deadline:
            _end(server)
            return f"was ended after {bounds.lifetime_s:g} s, the time it may take"
        if resident_bytes(server.pid) > bounds.memory_bytes:
            _end(server)
            return f"was ended because it took more than {bounds.memory_bytes} bytes of memory"
    return describe_exit(server.returncode)


def _end(server: "subprocess.Popen[bytes]") -> None:
    """The server is the leader of a session and of a group of processes: all of them end."""
    for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        try:
            server.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def resident_bytes(group: int) -> int:
    """Resident memory of all processes of a group."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _group_of(int(entry.name)) == group:
            try:
                total += int((entry / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
    return total


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
