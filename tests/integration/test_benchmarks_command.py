# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import subprocess
import sys

import pytest


def benchmarks(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", ["small_files_112k", "direct_4k_files", "generate"])
def test_quick_case_measures_us_and_explains_who_is_missing(case, tmp_path):
    done = benchmarks(case, "--quick", "--alone", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    (measured,) = report["cases"]
    first = next(iter(measured["contestants"].values()))
    assert len(first["turns"]) == 2
    assert all(turn["samples"] > 0 and turn["seconds"] > 0 for turn in first["turns"])
    assert all(reason == "left out by --alone" for reason in measured["skipped"].values())
    assert len(measured["skipped"]) >= 1
    assert measured["targets"] == []
    assert "dl-driver" in done.stdout


def test_unknown_case_is_named_with_the_known_ones():
    done = benchmarks("smal_files")
    assert done.returncode == 2
    assert "unknown case smal_files" in done.stderr
    assert "small_files_1k" in done.stderr
