# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fio: reads past the page cache through io_uring, one job."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import ContestantFailed, Measurement


def random_reads(path: Path, block_bytes: int, depth: int) -> Measurement:
    """Read every block of the file once, in random order. CPU time is what fio states for its job."""
    return _run([f"--filename={path}", "--rw=randread"], block_bytes, depth)


def whole_files(folder: Path, file_bytes: int, depth: int) -> Measurement:
    """Open, read and close every file of a folder once, one after another, as many open as reads are under way."""
    files = [f"--opendir={folder}", f"--openfiles={depth}", "--file_service_type=sequential", "--rw=read"]
    return _run(files, file_bytes, depth)


def _run(what: Sequence[str], block_bytes: int, depth: int) -> Measurement:
    command = [
        "fio",
        "--name=reads",
        *what,
        f"--bs={block_bytes}",
        "--direct=1",
        "--ioengine=io_uring",
        f"--iodepth={depth}",
        "--output-format=json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ContestantFailed(f"fio ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    return measurement(done.stdout)


def measurement(output: str) -> Measurement:
    """From fio's JSON, before which it may print notes."""
    job = json.loads(output[output.index("{") :])["jobs"][0]
    seconds = job["read"]["runtime"] / 1e3
    cpu = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] / 1e3
    return Measurement(seconds, job["read"]["total_ios"], job["read"]["io_bytes"], cpu)
