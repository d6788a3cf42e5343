# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""This machine: what the kernel allows, and how much there is of what a run uses."""

import os
import resource
import time
from collections.abc import Iterator

from dl_driver.config.sizes import show_size
from dl_driver.doctor.findings import Finding, Grade
from dl_driver.metrics.clock import Waiter
from dl_driver.metrics.host import read_meminfo
from dl_driver.storage.engines.uring import Ring
from dl_driver.storage.syscalls import RAMFS_MAGIC, TMPFS_MAGIC, direct_alignment, file_system_type

_ENOUGH_FILES = 4096
_FEWEST_FILES = 256
_ENOUGH_LOCKED_BYTES = 1 << 30
_CAP_IPC_LOCK = 14
_ENOUGH_SHARED_BYTES = 1 << 30
_LATE_NS = 100_000
_TRIES = 50
_BLOCK = 4096


def examine_machine(folder: str) -> Iterator[Finding]:
    """Findings about this machine, and about O_DIRECT in ``folder``."""
    folder = os.path.abspath(folder)
    yield from (io_uring(), direct_io(folder), open_files(), locked_memory())
    yield from (clock(), timers(), cores(), memory(), shared_memory())


def io_uring() -> Finding:
    """Whether a ring can be made."""
    try:
        Ring(fixed=0, others=8, file_slots=1).close()
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "reads use threads; allow it: sysctl kernel.io_uring_disabled=0, and the container's seccomp profile"
        return Finding("io_uring", Grade.ADVICE, f"refused by the kernel: {reason}", reason, advice=advice)
    return Finding("io_uring", Grade.OK, f"works (Linux {os.uname().release})", "works")


def direct_io(folder: str) -> Finding:
    """What O_DIRECT asks of offsets and memory in a folder, as statx(2) tells of a file there."""
    use_other = "direct:// reads through the page cache here; use a folder on a local disk or a parallel file system"
    try:
        if file_system_type(folder) in (TMPFS_MAGIC, RAMFS_MAGIC):
            return Finding("o_direct", Grade.ADVICE, f"{folder} is in memory (tmpfs)", advice=use_other)
        memory_bytes, offset_bytes = _alignment_of_new_file(folder)
    except OSError as error:
        text = f"cannot be tried in {folder}: {error.strerror}"
        return Finding("o_direct", Grade.ADVICE, text, advice="name a folder that exists and can be written")
    if offset_bytes is None or memory_bytes is None:
        text = f"works in {folder}; this kernel does not tell the alignment (statx before Linux 6.1)"
        return Finding("o_direct", Grade.OK, text)
    if offset_bytes == 0:
        return Finding("o_direct", Grade.ADVICE, f"the file system of {folder} does not support it", advice=use_other)
    text = f"works in {folder}: offsets in steps of {offset_bytes} bytes, memory of {memory_bytes}"
    if max(offset_bytes, memory_bytes) > _BLOCK:
        advice = f"direct:// aligns to {_BLOCK} bytes, which is too little here; use file://"
        return Finding("o_direct", Grade.ADVICE, text, offset_bytes, "bytes", advice)
    return Finding("o_direct", Grade.OK, text, offset_bytes, "bytes")


def _alignment_of_new_file(folder: str) -> tuple[int | None, int | None]:
    """statx's answer for a nameless file; None where the kernel is silent and O_DIRECT works all the same."""
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        told = direct_alignment(descriptor)
        if told is not None:
            return told
        try:
            os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_DIRECT))
        except OSError:
            return 0, 0
        return None, None
    finally:
        os.close(descriptor)


def open_files() -> Finding:
    """How many files and connections a process may hold open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{_limit(soft)} a process ({_limit(hard)} at most)"
    advice = f"raise it: ulimit -n {min(65536, hard) if hard != resource.RLIM_INFINITY else 65536}"
    if soft != resource.RLIM_INFINITY and soft < _FEWEST_FILES:
        return Finding("open_files", Grade.MISSING, text, soft, advice=advice)
    if soft != resource.RLIM_INFINITY and soft < _ENOUGH_FILES:
        return Finding("open_files", Grade.ADVICE, text, soft, advice=advice)
    return Finding("open_files", Grade.OK, text, soft)


def locked_memory() -> Finding:
    """How much memory a process may lock. What reads land in is registered with the ring, and counts against this for
    users without CAP_IPC_LOCK; so do rings themselves before Linux 5.12."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    text = "unlimited" if soft == resource.RLIM_INFINITY else show_size(soft)
    if resource.RLIM_INFINITY != soft < _ENOUGH_LOCKED_BYTES and not _may_lock_memory():
        advice = (
            "memory for reads cannot be registered, which costs CPU time on direct://; raise it: ulimit -l unlimited"
        )
        return Finding("locked_memory", Grade.ADVICE, text, soft, "bytes", advice)
    return Finding("locked_memory", Grade.OK, text, soft, "bytes")


def _may_lock_memory() -> bool:
    """Whether this process may lock as much as it likes (capabilities(7))."""
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_IPC_LOCK & 1)
    return False


def clock() -> Finding:
    """The smallest step that the clock of all stamps was seen to take."""
    steps = []
    for _ in range(_TRIES):
        start = now = time.perf_counter_ns()
        while now == start:
            now = time.perf_counter_ns()
        steps.append(now - start)
    step = min(steps)
    source = _read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    text = f"steps of {step} ns" + (f", from {source}" if source else "")
    if step > 2_000:
        advice = "stamps are coarse; a clock source such as tsc or kvm-clock is finer"
        return Finding("clock", Grade.ADVICE, text, step, "ns", advice)
    return Finding("clock", Grade.OK, text, step, "ns")


def timers() -> Finding:
    """How late a wait of 100 us ends, in the middle of many."""
    waiter, late = Waiter([]), []
    for _ in range(_TRIES):
        start = time.perf_counter_ns()
        waiter.wait(100_000)
        late.append(time.perf_counter_ns() - start - 100_000)
    middle = sorted(late)[_TRIES // 2]
    text = f"a wait of 100 us ends {middle / 1000:.1f} us late"
    if middle > _LATE_NS:
        advice = "emulated computation takes longer than asked; leave the machine to this run, or give it whole cores"
        return Finding("timers", Grade.ADVICE, text, middle, "ns", advice)
    return Finding("timers", Grade.OK, text, middle, "ns")


def cores() -> Finding:
    """Cores that this process may use."""
    usable, whole = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    quota = _cpu_quota()
    text = f"{usable} of {whole}" + ("" if quota is None else f", by the container's quota {quota:g}")
    limit = min(usable, quota) if quota is not None else usable
    if limit < 2:
        advice = "a run needs one core for the accelerators and one for reading, or they disturb each other"
        return Finding("cores", Grade.ADVICE, text, limit, advice=advice)
    if quota is not None and quota < usable:
        advice = f"worker processes are started for {usable} cores; set reader.workers to {max(1, int(quota))}"
        return Finding("cores", Grade.ADVICE, text, limit, advice=advice)
    return Finding("cores", Grade.OK, text, limit)


def _cpu_quota() -> float | None:
    """Cores that control groups allow (version 2, as seen inside the container); None: no limit told."""
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def memory() -> Finding:
    """Memory that is there and that is available."""
    info = read_meminfo()
    if "MemAvailable" not in info:
        return Finding("memory", Grade.ADVICE, "the kernel does not tell", advice="mount /proc")
    total, available = (int(info[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit = _read("/sys/fs/cgroup/memory.max")
    text = f"{show_size(available)} available of {show_size(total)}"
    if limit.isdecimal() and int(limit) < total:
        text += f", by the container's limit {show_size(int(limit))}"
        available = min(available, int(limit))
    if available < _ENOUGH_SHARED_BYTES:
        advice = "less than 1 GiB is little for batches in memory; dl-driver plan tells what a workload needs"
        return Finding("memory", Grade.ADVICE, text, available, "bytes", advice)
    return Finding("memory", Grade.OK, text, available, "bytes")


def shared_memory() -> Finding:
    """/dev/shm, which frameworks' own loaders share their batches by; the loader here does not need it."""
    try:
        facts = os.statvfs("/dev/shm")
    except OSError as error:
        advice = "frameworks' own data loaders need it; mount a tmpfs there"
        return Finding("dev_shm", Grade.ADVICE, f"not there: {error.strerror}", advice=advice)
    free = facts.f_bavail * facts.f_frsize
    text = f"{show_size(free)} free"
    if free < _ENOUGH_SHARED_BYTES:
        advice = "frameworks' own data loaders may need more (docker run --shm-size=8g); dl-driver's loader does not"
        return Finding("dev_shm", Grade.ADVICE, text, free, "bytes", advice)
    return Finding("dev_shm", Grade.OK, text, free, "bytes")


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else f"{value:,}"


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
