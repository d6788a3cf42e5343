# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import subprocess
import sys

import pytest

from dl_driver.cli.app import COMMANDS
from dl_driver.cli.main import main
from dl_driver.cli.options import split_config
from dl_driver.cli.run import as_file_name
from dl_driver.cli.tables import pairs, render
from dl_driver.errors import ConfigError


@pytest.fixture
def dl_driver(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dl-driver", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


def test_help_lists_every_command_and_loads_nothing_heavy():
    code = (
        "import sys, dl_driver.cli.main as m; sys.argv[1:] = ['--help']\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pydantic', 'numpy', 'hydra', 'rich', 'pyarrow', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *text, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    listed = [line.split()[0] for line in text[text.index("Commands:") + 1 :] if line.strip()]
    assert listed == list(COMMANDS)


def test_version(dl_driver):
    status, out, _ = dl_driver("--version")
    assert status == 0
    assert out.startswith("dl-driver ")


def test_plan_of_the_published_workload(dl_driver):
    status, out, err = dl_driver("plan", "unet3d_h100", "dataset.num_files_train=168", "--json")
    plan = json.loads(out)
    assert status == 0
    assert plan["payload_bytes"] == 25285981919
    assert plan["first_file"]["dims"] == [15865, 14125]
    assert plan["first_file"]["key"] == "train/img_000_of_168.npz"
    assert plan["steps_per_epoch"] == 24
    assert "workflow.checkpoint" in err


def test_plan_scales_with_accelerators_and_memory(dl_driver):
    # 5 x 2 hosts x 512 GiB / 146600628 bytes, and 500 steps of 16 x 7 samples.
    options = ("--accelerators", "16", "--hosts", "2", "--host-memory", "512GiB", "--json")
    plan = json.loads(dl_driver("plan", "unet3d_h100", *options)[1])
    assert plan["mlperf_minimum"]["by_memory"] == 5 * 2 * (512 << 30) // 146600628
    assert plan["mlperf_minimum"]["by_steps"] == 56000
    assert plan["mlperf_minimum"]["num_files_train"] == 56000
    assert not plan["mlperf_minimum"]["enough"]
    assert plan["demand"]["MiB_per_second"] == pytest.approx(16 * 3029.92, rel=1e-5)
    assert plan["demand"]["MiB_per_second_at_au"] == pytest.approx(0.9 * 16 * 3029.92, rel=1e-5)


def test_plan_as_text(dl_driver):
    status, out, _ = dl_driver("plan", "demo")
    assert status == 0
    assert "training          64 files, 64 samples\n                  64 MiB (67,108,864 bytes); as files 64" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "16 an epoch, 2 epochs" in out


def test_plan_of_checkpoints_alone(dl_driver):
    status, out, err = dl_driver("plan", "llama3_8b")
    assert (status, out) == (2, "")
    assert "no data set" in err


def test_overrides_may_stand_among_options_and_after_c(dl_driver, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text("reader: {batch_size: 2}\n")
    arguments = ("~reader.batch_size", "++workload.train.epochs=3", "--to-json", "train.seed=7")
    composed = json.loads(dl_driver("validate", "-c", str(path), *arguments)[1])
    assert (composed["reader"]["batch_size"], composed["train"]["epochs"], composed["train"]["seed"]) == (1, 3, 7)
    assert dl_driver("validate", str(path), *arguments)[0] == 0


def test_validate_tells_what_the_workload_is(dl_driver):
    status, out, err = dl_driver("validate", "demo")
    assert (status, err) == (0, "")
    for words in ("demo", "pytorch", "npz", "64, 1 sample each, 64 MiB", "data/demo", "16 on one accelerator", "70%"):
        assert words in out


def test_every_problem_is_a_line_on_stderr(dl_driver):
    status, out, err = dl_driver("validate", "demo", "reader.batch_size=0", "datset.x=1", "train.epochs=many")
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("dl-driver: override: ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan",), "expected CONFIG"),
        (("plan", "reader.batch_size=1"), "before the override"),
        (("plan", "/no/such.yaml"), "no such file"),
        (("plan", "demo", "--accelerators", "0"), "--accelerators"),
        (("plan", "demo", "--host-memory", "much"), "such as 512GiB"),
        (("nonsense",), "nonsense"),
        (("schema", "--x"), "--x"),
    ],
)
def test_wrong_use(dl_driver, arguments, words):
    status, out, err = dl_driver(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_workloads(dl_driver):
    status, out, _ = dl_driver("workloads")
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.startswith("unet3d_h100 ")]
    assert line.split()[1:] == ["140", "MiB", "7", "323", "3030", "90%", "npz"]
    assert max(map(len, out.splitlines())) <= 81
    listed = {one["workload"]: one for one in json.loads(dl_driver("workloads", "--json")[1])}
    assert listed["unet3d_h100"]["MiB_per_second"] == pytest.approx(3029.92, rel=1e-5)
    assert listed["llama3_8b"]["MiB_per_second"] is None
    assert listed["llama3_8b"]["checkpoints_only"]


def test_schema_describes_every_key(dl_driver):
    schema = json.loads(dl_driver("schema")[1])
    reader = schema["$defs"]["Reader"]["properties"]
    assert reader["batch_size"]["minimum"] == 1
    assert reader["batch_size"]["description"]
    assert schema["$defs"]["Shuffle"]["enum"] == ["off", "seed", "random"]
    assert not schema["$defs"]["Workload"]["additionalProperties"]


def test_env_file(dl_driver, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / ".env").write_text("CLITEST_EPOCHS=4\n")
    (tmp_path / "w.yaml").write_text("train: {epochs: '${oc.env:CLITEST_EPOCHS}'}\n")
    env = ("--env-file", str(tmp_path / ".env"))
    out = dl_driver("validate", str(tmp_path / "w.yaml"), "--to-json", *env)[1]
    assert json.loads(out)["train"]["epochs"] == 4


def _console_script():
    return [sys.executable, "-c", "from dl_driver.cli.main import main; main()"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dl-driver plan unet3d_h", ["unet3d_h100", "unet3d_h100_s3"]),
        ("dl-driver validate -c cosmoflow_v", ["cosmoflow_v100"]),
        ("dl-driver plan demo reader.batch", ["reader.batch_size=", "reader.batch_size_eval="]),
        ("dl-driver plan demo ++workload.metric.", ["++workload.metric.au="]),
        ("dl-driver wor", ["workloads"]),
    ],
)
def test_completion(words, expected):
    count = len(words.split()) - 1
    asked = {"_DL_DRIVER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = subprocess.run(_console_script(), env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    asked = {"_DL_DRIVER_COMPLETE": f"source_{shell}"}
    done = subprocess.run(_console_script(), env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert f"complete_{shell}" in done.stdout


def test_a_reader_that_leaves_early_is_no_error_message():
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -c 'from dl_driver.cli.main import main; main()' workloads | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_an_interrupt_is_status_1(dl_driver, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dl_driver.config.loading.find", interrupted)
    assert dl_driver("validate", "demo") == (1, "", "dl-driver: interrupted\n")


def test_split_config():
    assert split_config(["demo", "a=1"], None) == ("demo", ["a=1"])
    assert split_config(["a=1"], "demo") == ("demo", ["a=1"])
    with pytest.raises(ConfigError):
        split_config(None, None)


def test_tables():
    assert render(("a", "b"), [("xyz", "1"), ("x", "1000")]) == "a       b\nxyz     1\nx    1000"
    assert pairs([("a", "1"), ("long", "2")]) == "a     1\nlong  2"


@pytest.mark.parametrize(
    ("name", "part"),
    [("mine", "mine"), ("a/b", "a_b"), ("../x", ".._x"), ("..", "workload"), ("", "workload"), ("dätä 1", "dätä 1")],
)
def test_a_workloads_name_is_one_part_of_the_results_path(name, part):
    assert as_file_name(name) == part


def test_results_without_a_name_are_an_error(dl_driver):
    status, _, err = dl_driver("run", "demo", "dataset.data_folder=null://", "--results", "")
    assert status == 2
    assert err == "dl-driver: --results: expected a folder or the URI of one, found an empty text\n"


def test_hydras_way_to_choose_a_workload_is_answered_with_ours(dl_driver):
    status, _, err = dl_driver("validate", "workload=unet3d_h100")
    assert status == 2
    assert "not workload=unet3d_h100: write unet3d_h100 in its place" in err


def test_the_package_is_a_command_too():
    done = subprocess.run([sys.executable, "-m", "dl_driver", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dl-driver ")


def test_names_that_the_encoding_lacks_are_escaped():
    command = [sys.executable, "-m", "dl_driver", "validate", "demo", "dataset.data_folder='/dätä/日'"]
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"file:///d\xe4t\xe4/\u65e5" in done.stdout


def test_a_results_folder_of_any_name(tmp_path):
    places = [os.fsencode(tmp_path) + b"/r\xff", os.fsencode(tmp_path) + b"/s3:a%20b"]
    for place in places:
        changes = ["dataset.data_folder=null://", "workflow.generate_data=false", "--max-steps", "1"]
        command = [sys.executable, "-m", "dl_driver", "run", "demo", *changes, "--progress", "none", "--results", place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"steps.parquet" in os.listdir(place)


def test_validate_knows_what_storages_there_are(dl_driver):
    status, out, err = dl_driver("validate", "demo", "dataset.data_folder=foo://bucket/x")
    assert (status, out) == (2, "")
    assert err.startswith("dl-driver: foo://bucket/x: no storage backend for foo://; there are az://, ")
