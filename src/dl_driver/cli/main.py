# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The console script: the process's streams and signals, around the commands.

stdout carries results, stderr everything else. Exit status 0: done; 1: ran, but a target was missed or samples failed;
2: could not run. Imports next to nothing, so that Ctrl-C is met from the start.
"""

import io
import os
import signal
import sys
import time

ONE_REQUEST_S = 0.1
"""Signals so close together are one request: timeout(1) sends its own to the process and to its group."""


def main() -> None:
    """Run the command and exit."""
    try:
        _open_missing_streams()
        _print_any_text()
        _take_requests_to_stop()
        from dl_driver.cli.app import run_command

        status = run_command()
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        print(f"dl-driver: {str(stop) or 'interrupted'}", file=sys.stderr)
        status = 1
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _silence_stdout()
        status = 1
    except OSError as error:
        _silence_stdout()
        where = f"{error.filename}: " if error.filename else ""
        print(f"dl-driver: the system refused: {where}{error.strerror or error}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _open_missing_streams() -> None:
    """Whoever closed stdout or stderr wants nothing there; a file opened later must not take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 - stays open


def _print_any_text() -> None:
    """A name that the terminal's encoding lacks is written with escapes, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Python flushes once more at exit, which then must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _take_requests_to_stop() -> None:
    """A scheduler's SIGTERM and a closing terminal's SIGHUP end the command as Ctrl-C does: in order."""
    told_at: dict[int, float] = {}

    def interrupt(number: int, frame: object) -> None:
        before, told_at[number] = told_at.get(number, 0.0), time.monotonic()
        if told_at[number] - before < ONE_REQUEST_S:
            return
        raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what a script runs in the background; whoever sends it SIGINT all the same means it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
