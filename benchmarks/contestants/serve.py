# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A contestant's side of the conversation: a line on stdin asks for a turn, a line on stdout reports it.

Standard library only, because it runs in every rival's environment. A turn is as many whole epochs as take the given
seconds, so that short epochs are not measured by one tick of a clock.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

MARK = "@turn "
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def serve(epoch: Callable[[], tuple[int, int]], min_seconds: float) -> None:
    """Answer until stdin closes. ``epoch()`` reads everything once and returns its samples and bytes."""
    for _ in sys.stdin:
        print(MARK + json.dumps(turn(epoch, min_seconds)), flush=True)


def turn(epoch: Callable[[], tuple[int, int]], min_seconds: float) -> dict[str, float]:
    """One measured turn."""
    samples = num_bytes = 0
    cpu = tree_cpu_seconds(os.getpid())
    start = perf_counter()
    while perf_counter() - start < min_seconds:
        more_samples, more_bytes = epoch()
        samples += more_samples
        num_bytes += more_bytes
    seconds = perf_counter() - start
    cpu = tree_cpu_seconds(os.getpid()) - cpu
    return {"seconds": seconds, "samples": samples, "bytes": num_bytes, "cpu_seconds": cpu}


def tree_cpu_seconds(root: int) -> float:
    """CPU time of a process and all below it, those that ended and were waited for included."""
    ticks = 0
    for pid in process_tree(root):
        fields = _stat(pid)
        if fields:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_A_SECOND


def process_tree(root: int) -> Iterator[int]:
    """The process and its descendants, as they are now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
