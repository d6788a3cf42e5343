# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fio: random reads past the page cache through io_uring, one job."""

import json
import subprocess
from pathlib import Path

from benchmarks.measurement import ContestantFailed, Measurement


def random_reads(path: Path, block_bytes: int, depth: int) -> Measurement:
    """Read every block of the file once, in random order. CPU time is what fio states for its job."""
    command = [
        "fio",
        "--name=reads",
        f"--filename={path}",
        "--rw=randread",
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
