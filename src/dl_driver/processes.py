# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Worker processes that cannot be left behind.

A worker is a fresh Python interpreter (never a fork), joined to its parent by one socket. It ends when that socket
closes, however the parent died; its parent sees the socket close, however the worker died. Nothing has a name in the
file system, so nothing needs cleaning up.
"""

import importlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from dl_driver.errors import RunError

STOP_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a program to end: Ctrl-C, a scheduler, a terminal that closes."""

_LAST_WAIT_S = 5.0

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""Where the user says nothing else. NumPy comes with OpenBLAS, which otherwise starts a thread a core when it is
imported; they spin while the worker starts, and are never used."""

_BOOT = "import sys; sys.path[:] = {path!r}; from dl_driver.processes import _child; _child({channel})"


class WorkerProcess:
    """A process that runs ``module:function(channel, payload)``; the descriptors in ``inherit`` keep their numbers."""

    def __init__(self, target: str, payload: object, *, inherit: Sequence[int] = ()) -> None:
        """Raises RunError where the system starts no further process."""
        try:
            ours, self._process = _start(inherit)
        except OSError as error:
            raise RunError(
                f"cannot start a worker process ({sys.executable}): {error.strerror}; use fewer workers (--workers), or"
                " raise the limits of processes and open files (ulimit -u, ulimit -n)"
            ) from error
        self.channel: Connection[Any, Any] = Connection(ours.detach())
        """Raises EOFError or OSError when the worker is gone."""
        try:
            self.channel.send_bytes(pickle.dumps((target, payload)))
        except OSError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative for the signal that killed it; kills the process where ``timeout`` seconds pass.
        One that even then does not end, since it waits for a storage that hangs, is left to the kernel."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        try:
            return self._process.wait(_LAST_WAIT_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL

    def close(self, timeout: float = 5.0) -> int:
        """Close the channel, which tells the worker to end, and wait for that."""
        self.channel.close()
        return self.wait(timeout)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()


def describe_exit(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    return f"exited with status {status}"


def explain_exit(status: int) -> str:
    """What may be behind such an end, to follow a message."""
    return "; the kernel does that when memory runs out (see dmesg)" if status == -signal.SIGKILL else ""


def _start(inherit: Sequence[int]) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Our end of the socket, and the process that waits at the other for what to do. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        boot = _BOOT.format(path=[entry or os.getcwd() for entry in sys.path], channel=theirs.fileno())
        command = [sys.executable, "-E", "-s", "-c", boot]
        # The worker inherits the mask: a request to stop, which may go to the whole group, is its parent's business.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_REQUESTS)
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), *inherit),
                stdin=subprocess.DEVNULL,
                env=_ENVIRONMENT | os.environ,
            )
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ours, process


def _child(channel_fd: int) -> None:
    """The worker's side: a closed channel ends the process quietly."""
    channel: Connection[Any, Any] = Connection(channel_fd)
    try:
        target, payload = pickle.loads(channel.recv_bytes())
        module, _, function = target.partition(":")
        getattr(importlib.import_module(module), function)(channel, payload)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)
