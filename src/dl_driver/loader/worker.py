# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker process's main: its readers on one side, the host's socket on the other."""

import os
import socket
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from dl_driver.errors import DlDriverError
from dl_driver.loader import messages
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.reading import ReaderLoop
from dl_driver.loader.slab import Slab
from dl_driver.metrics.clock import sharpen_timers


@dataclass(frozen=True, slots=True)
class WorkerPayload:
    """What a worker is told at its start."""

    plan: LoaderPlan
    worker: int
    socket: int
    slab: int


def main(channel: "Connection[Any, Any]", payload: WorkerPayload) -> None:
    """Serve until the host's socket closes. An error ends the worker; the host hears of it first."""
    sharpen_timers()
    _yield_to_the_host()
    host = socket.socket(fileno=payload.socket)
    try:
        slab = Slab(payload.plan, payload.slab)
        loop = ReaderLoop(payload.plan, slab, payload.worker, lambda packet: _send(host, packet), host.fileno())
        while not loop.turn() or _take_packets(host, loop):
            pass
    except DlDriverError as error:
        _send(host, messages.pickled(messages.ERROR, messages.failure_of(error)))
    # Skips the interpreter's shutdown, which nothing here needs.
    os._exit(0)


def _take_packets(host: socket.socket, loop: ReaderLoop) -> bool:
    """Handle what the host sent; False when it is gone."""
    while True:
        try:
            packet = host.recv(messages.MAX_PACKET, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        if not packet:
            return False
        loop.handle(packet)


def _send(host: socket.socket, packet: bytes) -> None:
    try:
        host.sendall(packet)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _yield_to_the_host() -> None:
    """Batch scheduling: when the host process wakes for an accelerator's deadline, it need not wait for a worker."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
