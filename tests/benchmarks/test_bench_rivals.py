# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import sys

import pytest
from benchmarks.contestants import serve
from benchmarks.datasets import NpzSet, temporary_folder, write_npy_files
from benchmarks.measurement import ContestantFailed
from benchmarks.processes import run

from benchmarks import dlio, fio
from dl_driver.config import load

STATS = {
    "1": {
        "start": "2026-01-01T00:00:00.000000",
        "block1": {"start": "2026-01-01T00:00:01.000000", "end": "2026-01-01T00:00:03.500000", "duration": "2.50"},
        "end": "2026-01-01T00:00:09.000000",
        "duration": "9.00",
    },
    "2": {"block1": {"start": "2026-01-01T23:59:59.900000", "end": "2026-01-02T00:00:00.150000", "duration": "0.25"}},
}
LOG = """\
[INFO] 2026-01-01T00:00:10.500000 Starting data generation [main.py:1]
[INFO] 2026-01-01T00:00:11.000000 Generating dataset in data [x.py:1]
[INFO] 2026-01-01T00:00:12.750000 Generation done [main.py:2]
"""


def test_training_seconds_are_of_the_blocks(tmp_path):
    (tmp_path / "stats.json").write_text(json.dumps(STATS))
    assert dlio.training_seconds(tmp_path / "stats.json") == pytest.approx([2.5, 0.25])


def test_generation_seconds_leave_start_up_out(tmp_path):
    (tmp_path / "dlio.log").write_text(LOG)
    assert dlio.generation_seconds(tmp_path) == pytest.approx(2.25)
    (tmp_path / "dlio.log").write_text(LOG.splitlines()[0])
    with pytest.raises(ContestantFailed, match="does not say"):
        dlio.generation_seconds(tmp_path)


def test_fio_json_by_hand():
    job = {"job_runtime": 2000, "usr_cpu": 10.0, "sys_cpu": 15.0}
    job["read"] = {"runtime": 1000, "total_ios": 8, "io_bytes": 10**9}
    measured = fio.measurement("fio: a note before it\n" + json.dumps({"jobs": [job]}))
    assert measured.bytes_per_second == 1e9
    assert measured.samples == 8
    assert measured.cpu_seconds == pytest.approx(0.5)


def test_workload_reads_as_meant(tmp_path):
    path = NpzSet(6, 2048, batch_size=3, read_threads=1, epochs=7).write_workload(tmp_path)
    workload = load(str(path)).workload
    assert workload.data_uri == f"file://{tmp_path}/data"
    assert workload.dataset.num_files_train == 6
    assert workload.reader.batch_size == 3
    assert workload.train.epochs == 7


def test_npy_files_have_exactly_the_size(tmp_path):
    write_npy_files(tmp_path / "data", 3, 4096)
    assert sorted(path.stat().st_size for path in (tmp_path / "data").iterdir()) == [4096] * 3


def test_temporary_folder_goes_even_after_an_error():
    with pytest.raises(ValueError, match="x"), temporary_folder() as folder:
        raise ValueError("x")
    assert not folder.exists()


def test_run_reports_what_a_command_said_and_took():
    program = "x = bytearray(64 << 20); x[::4096] = b'1' * len(x[::4096]); import time; time.sleep(0.5); print('out')"
    done = run([sys.executable, "-c", program], watch_memory=True)
    assert done.stdout == "out\n"
    assert done.seconds >= 0.5
    assert 64 << 20 <= done.peak_pss_bytes < 512 << 20


@pytest.mark.parametrize(("status", "may_miss", "fails"), [(1, True, False), (1, False, True), (2, True, True)])
def test_run_and_exit_status(status, may_miss, fails):
    command = [sys.executable, "-c", f"import sys; print('why', file=sys.stderr); sys.exit({status})"]
    if fails:
        with pytest.raises(ContestantFailed, match=f"status {status}: why"):
            run(command, may_miss=may_miss)
    else:
        assert run(command, may_miss=may_miss).stderr == "why\n"


def test_a_turn_is_whole_epochs_of_at_least_the_time():
    epochs = []

    def epoch():
        epochs.append(1)
        return 10, 1000

    turn = serve.turn(epoch, 0.01)
    assert turn["samples"] == 10 * len(epochs)
    assert turn["bytes"] == 1000 * len(epochs)
    assert turn["seconds"] >= 0.01


def test_process_tree_holds_this_process_first():
    assert next(iter(serve.process_tree(os.getpid()))) == os.getpid()
