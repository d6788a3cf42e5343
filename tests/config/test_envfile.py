# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest

from dl_driver.config import load
from dl_driver.config.envfile import read_env_file
from dl_driver.errors import ConfigError

TEXT = """\
# credentials
ENVTEST_PLAIN=abc # a comment
ENVTEST_HASH=a#b
export ENVTEST_EXPORTED = x y
ENVTEST_SINGLE='a "b" $c \\n'
ENVTEST_DOUBLE="a \\"b\\"\\n# c" # more
ENVTEST_EMPTY=
ENVTEST_EQUALS=a=b==
ENVTEST_TAKEN=new
"""


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("ENVTEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def write(text):
        path = tmp_path / ".env"
        path.write_text(text)
        return str(path)

    return write


def test_reads_every_kind_of_line(env_file):
    os.environ["ENVTEST_TAKEN"] = "old"
    names = read_env_file(env_file(TEXT))
    assert {name: value for name, value in os.environ.items() if name.startswith("ENVTEST_")} == {
        "ENVTEST_PLAIN": "abc",
        "ENVTEST_HASH": "a#b",
        "ENVTEST_EXPORTED": "x y",
        "ENVTEST_SINGLE": 'a "b" $c \\n',
        "ENVTEST_DOUBLE": 'a "b"\n# c',
        "ENVTEST_EMPTY": "",
        "ENVTEST_EQUALS": "a=b==",
        "ENVTEST_TAKEN": "old",
    }
    assert "ENVTEST_TAKEN" not in names


def test_bad_lines_are_named_without_their_values(env_file):
    path = env_file("ENVTEST_A=1\nhunter2\nENVTEST_B='hunter2\n9X=hunter2\n")
    with pytest.raises(ConfigError) as caught:
        load("demo", env_file=path)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]
    assert "hunter2" not in str(caught.value)
    assert "ENVTEST_A" not in os.environ


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.env: cannot be read"):
        load("demo", env_file=str(tmp_path / "none.env"))
