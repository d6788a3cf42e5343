# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference names every key, column and command that the program has."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from dl_driver.config.keys import known_keys
from dl_driver.report import dlio, mlperf, run_json, steps

_ROOT = Path(__file__).parent.parent
_RESULTS = (_ROOT / "docs/reference/results.md").read_text()


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("docs_reference", _ROOT / "tools/docs_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_key_has_a_row(reference):
    text = reference.configuration()
    rows = dict(re.findall(r"^\| `([a-z0-9_.\[\]]+)` \| (.+) \|$", text, re.MULTILINE))
    inner = {"dataset.parquet.columns", "checkpoint.ksm"}  # sections themselves, with rows of their own
    assert set(known_keys()) - set(rows) == inner
    assert {"dataset.parquet.columns[].name", "checkpoint.ksm.await_time"} <= set(rows)
    assert all(row.rpartition(" | ")[2].strip() for row in rows.values())


def test_a_row_tells_values_default_and_effect(reference):
    text = reference.configuration()
    assert "| `dataset.compression_level` | whole number &ge; 0 &le; 9 | `4` |" in text
    assert "| `reader.file_shuffle` | `off`, `seed`, `random` | `off` |" in text
    assert "*No effect: a shuffle covers the whole data set.*" in text


def test_commands_and_workloads_are_what_the_program_prints(reference):
    text = reference.on_page_markdown("<!-- generated: commands -->\n<!-- generated: workloads -->")
    assert "<!--" not in text
    for words in ("## run\n", "## schema\n", "--max-inflight N", "unet3d_h100 "):
        assert words in text


def _keys_written(module):
    """Every string that stands as a key of a dictionary in a module."""
    tree = ast.parse(Path(module.__file__).read_text())
    dicts = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    return {key.value for node in dicts for key in node.keys if isinstance(key, ast.Constant)}


@pytest.mark.parametrize("module", [dlio, mlperf, run_json])
def test_every_key_of_the_results_is_described(module):
    described = _RESULTS + "dl_driver python kernel direct az first blake2b_128"
    assert {key for key in _keys_written(module) if key not in described} == set()


def test_every_column_of_the_steps_is_described():
    columns = ("epoch", "phase", "block", "step", "accelerator", *steps._STAMPS)
    assert [name for name in columns if f"`{name}`" not in _RESULTS] == []
