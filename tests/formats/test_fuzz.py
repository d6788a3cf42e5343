# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A short run of tools/fuzz.py for every target, and the program itself: what it finds, and that it finds it again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dl_driver.errors import FormatError
from dl_driver.formats.parquet_pages import check_chunk
from dl_driver.formats.thrift_compact import I32, STRUCT, number, struct

TOOL = Path(__file__).resolve().parents[2] / "tools" / "fuzz.py"
TARGETS = (
    "npy", "npz", "npz_deflated", "csv", "jsonl", "tfrecord", "tfrecord_packed", "hdf5", "parquet", "parquet_footer",
    "indexed_binary", "image_header", "image",
)  # fmt: skip


def fuzz(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_thousand_damaged_files(target: str, tmp_path: Path) -> None:
    done = fuzz(target, "--executions", 1000, "--seed", 5, "--findings", tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["executions"] == report["accepted"] + report["refused"] == 1000
    assert report["refused"] > 100, "damage must reach the parser"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(TOOL.parent)
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    import fuzz

    return fuzz


def killer(parts: list[bytes]) -> None:
    """Does four wrong things, by the input's first byte."""
    kind = parts[0][0] if parts[0] else 0
    if kind == 255:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == 254:
        raise KeyError("wrong")
    if kind == 253:
        while True:
            pass
    if kind % 2:
        raise FormatError("right")


def test_crashes_hangs_and_wrong_errors_are_found(tool, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    chosen = [b"\0"] * 3 + [b"\xfe"] + [b"\1"] * 3 + [b"\xff"] + [b"\0"] * 2 + [b"\xfd"] + [b"\1"]
    monkeypatch.setattr(tool, "make_input", lambda target, seeds, seed, at: [chosen[at]])
    target = tool.Target(lambda: [[b"\0"]], killer)
    found = tool.supervise(target, 0, range(len(chosen)), tool.Bounds(0.2, 1 << 30))
    assert [finding.number for finding in found.findings] == [7, 10]
    assert "SIGKILL" in found.findings[0].what
    assert "was not done" in found.findings[1].what
    found = tool.supervise(target, 0, range(7), tool.Bounds(0.2, 1 << 30))
    assert [finding.number for finding in found.findings] == [3]
    assert found.findings[0].what == "KeyError: 'wrong'"
    assert (found.accepted, found.refused) == (3, 3)


def test_an_input_is_a_function_of_seed_and_number(tool) -> None:  # type: ignore[no-untyped-def]
    target = tool.Target(lambda: [[bytes(range(200)), b"beside"]], len)
    made = [tool.make_input(target, target.seeds(), 3, number) for number in range(50)]
    assert made == [tool.make_input(target, target.seeds(), 3, number) for number in range(50)]
    assert len({tuple(parts) for parts in made}) > 40


def test_a_page_header_of_another_kind_is_an_error() -> None:
    """Found so: where a page's kind belongs, a structure may stand."""
    header = struct((1, STRUCT, b"\0"), (3, I32, number(0)))
    with pytest.raises(FormatError, match="stands no page's header"):
        check_chunk(memoryview(header), "c0")
