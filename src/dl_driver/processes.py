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

_BOOT = "import sys; sys.path[:] = {path!r}; from dl_driver.processes import _child; _child({channel})"


class WorkerProcess:
    """A process that runs ``module:function(channel, payload)``; the descriptors in ``inherit`` keep their numbers."""

    def __init__(self, target: str, payload: object, *, inherit: Sequence[int] = ()) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            boot = _BOOT.format(path=[entry or os.getcwd() for entry in sys.path], channel=theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-E", "-s", "-c", boot],
                pass_fds=(theirs.fileno(), *inherit),
                stdin=subprocess.DEVNULL,
            )
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
        """The exit status, negative for the signal that killed it; kills the process where ``timeout`` seconds pass."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

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


def _child(channel_fd: int) -> None:
    """The worker's side: Ctrl-C is the parent's business; a closed channel ends the process quietly."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel: Connection[Any, Any] = Connection(channel_fd)
    try:
        target, payload = pickle.loads(channel.recv_bytes())
        module, _, function = target.partition(":")
        getattr(importlib.import_module(module), function)(channel, payload)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)
