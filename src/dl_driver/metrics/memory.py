# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory of a group of processes that share some of it."""

from collections.abc import Iterable


def proportional_set_size(pids: Iterable[int]) -> int | None:
    """Bytes of all these processes together, shared pages counted once; None where the kernel does not tell."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
                total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            return None
    return total
