# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about this machine, from /proc."""

import os
import platform
import socket

from dl_driver.metrics.record import HostFacts


def read_meminfo() -> dict[str, str]:
    """/proc/meminfo, values as ``N kB``; empty where there is none."""
    return _read_pairs("/proc/meminfo")


def host_facts() -> HostFacts:
    """This machine."""
    meminfo = read_meminfo()
    return HostFacts(
        hostname=socket.gethostname(),
        cpu_count=os.cpu_count() or 1,
        processor_name=platform.processor(),
        cpuinfo=_read_pairs("/proc/cpuinfo"),
        meminfo=meminfo,
        memory_bytes=int(meminfo.get("MemTotal", "0 kB").split()[0]) * 1024,
        kernel=platform.release(),
        python=platform.python_version(),
    )


def _read_pairs(path: str) -> dict[str, str]:
    """``name: value`` lines; of names that come again (processors) the last counts."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return {name.strip(): value.strip() for name, separator, value in pairs if separator}
    except OSError:
        return {}
