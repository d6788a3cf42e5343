# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_driver.config import Duration, Shuffle, load
from dl_driver.errors import ConfigError


@pytest.mark.parametrize("prefix", ["", "+", "++", "workload.", "+workload.", "++workload."])
def test_every_way_to_write_a_key(prefix):
    assert load("demo", [f"{prefix}reader.batch_size=8"]).workload.reader.batch_size == 8
    # a key that the file lacks
    assert load("demo", [f"{prefix}reader.prefetch_size=5"]).workload.reader.prefetch_size == 5


def test_values():
    workload = load(
        "demo",
        [
            "dataset.record_dims=[16,16]",
            "train.computation_time={type: uniform, min: 0.1, max: 0.3}",
            "reader.file_shuffle=off",
            "reader.sample_shuffle=null",
            "dataset.data_folder='/mnt/a=b c'",
            'model.name="x,y"',
            "reader.multiprocessing_context=None",
            "dataset.generation_buffer_size=1e6",
            "reader.odirect=True",
        ],
    ).workload
    assert workload.dataset.record_dims == (16, 16)
    assert workload.train.computation_time == Duration.parse({"type": "uniform", "min": 0.1, "max": 0.3})
    assert workload.reader.file_shuffle is Shuffle.OFF
    assert workload.reader.sample_shuffle is Shuffle.OFF
    assert workload.dataset.data_folder == "/mnt/a=b c"
    assert workload.model.name == "x,y"
    assert workload.dataset.generation_buffer_size == 1_000_000
    assert workload.reader.odirect


def test_a_part_of_a_value_replaces_the_whole_and_back():
    assert load("demo", ["train.computation_time.mean=1.0"]).workload.train.computation_time.mean_s == 1.0
    both = ["train.computation_time.mean=1.0", "train.computation_time=2"]
    assert load("demo", both).workload.train.computation_time.mean_s == 2.0


def test_a_later_override_wins_and_a_removal_brings_back_the_default():
    assert load("demo", ["train.epochs=3", "train.epochs=4"]).workload.train.epochs == 4
    assert load("demo", ["~train.epochs"]).workload.train.epochs == 1
    assert load("demo", ["~workload.reader"]).workload.reader.batch_size == 1
    assert load("demo", ["train.epochs=3", "~train.epochs"]).workload.train.epochs == 1
    assert load("demo", ["~train.epochs", "train.epochs=3"]).workload.train.epochs == 3


def test_an_older_spelling_overrides_todays():
    assert load("demo", ["dataset.record_length=512"]).workload.dataset.record_length_bytes == 512
    assert load("demo", ["++workload.data_reader.batch_size=2"]).workload.reader.batch_size == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("reader.batch_size", "expected key=value"),
        ("reader.batch_size=1,2", "several values"),
        ("reader.batch_size=range(1,3)", "several values"),
        ("reader.batch_size='", "grammar"),
        ("workload=unet3d_h100", "CONFIG"),
        ("hydra.run.dir=/x", "--results"),
        ("reader.batch_size=0", "greater than or equal to 1"),
        ("reader.batch_size=", "valid integer"),
        ("reader..batch_size=1", ""),
        ("=1", ""),
    ],
)
def test_bad_overrides_are_named(override, words):
    with pytest.raises(ConfigError) as caught:
        load("demo", [override])
    (problem,) = caught.value.problems
    assert problem.file == "override"
    assert words in problem.message


@given(st.text(max_size=20))
def test_no_text_is_more_than_a_problem(text):
    with contextlib.suppress(ConfigError):
        load("demo", [text])


@given(st.integers(1, 10**9), st.floats(0, 1e6), st.booleans())
def test_what_is_written_is_read(count, seconds, flag):
    workload = load(
        "demo",
        [f"dataset.num_files_train={count + 3}", f"train.computation_time={seconds!r}", f"reader.drop_last={flag}"],
    ).workload
    assert workload.dataset.num_files_train == count + 3
    assert workload.train.computation_time.mean_s == seconds
    assert workload.reader.drop_last is flag


@pytest.mark.parametrize("key", ["reader.prefetch_size", "reader.nothing", "workload.reader.prefetch_size"])
def test_removing_what_nobody_set_is_an_error(key):
    with pytest.raises(ConfigError, match="there is nothing to remove: neither the file nor an override sets it"):
        load("demo", [f"~{key}"])
    if "nothing" not in key:
        assert load("demo", [f"{key}=5", f"~{key}"]).workload.reader.prefetch_size == 2
        with pytest.raises(ConfigError, match="nothing to remove"):
            load("demo", [f"{key}=5", f"~{key}", f"~{key}"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("dataset.num_files_train=99999999999999999999999", "expected less than or equal to 9223372036854775807"),
        ("dataset.record_length_bytes=1e23", "expected less than or equal to 922337203685477"),
        ("train.epochs=99999999999999999999999", "expected less than or equal to 9223372036854775807"),
        ("dataset.record_dims=[99999999999,99999999999]", "so many samples of this size are 6.4e+23 bytes"),
        ("dataset.num_files_train=9000000000000000", "so many samples of this size are 9.44e+21 bytes"),
    ],
)
def test_numbers_beyond_what_can_be_counted(override, said):
    with pytest.raises(ConfigError) as told:
        load("demo", [override])
    assert said in str(told.value)


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(ConfigError, match=r"cannot resolve '\$\{oc.env:NO_SUCH_1\}': Environment variable 'NO_SUCH_1'"):
        load("demo", ["dataset.data_folder=${oc.env:NO_SUCH_1}"])


def test_how_to_quote_for_the_shell_is_told():
    with pytest.raises(ConfigError, match="once more for the shell: \"key='a=b'\""):
        load("demo", ["dataset.data_folder=a=b"])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("UNET3D_H100", "did you mean unet3d_h100?"),
        ("unet3d_h100.yaml", "; unet3d_h100 is the name of a bundled workload"),
        ("workload/unet3d_h100.yaml", "; unet3d_h100 is the name of a bundled workload"),
        ("other/mine.yaml", "there is no such file"),
    ],
)
def test_a_name_that_is_nearly_right(source, hint):
    with pytest.raises(ConfigError) as told:
        load(source)
    assert str(told.value).partition(" (")[0].endswith(hint)


def test_a_loader_that_reads_nothing_is_not_passed_over():
    with pytest.raises(
        ConfigError, match=r"synthetic loader makes samples and reads no npz file; set dataset\.format="
    ):
        load("demo", ["reader.data_loader=synthetic"])
    assert load("demo", ["reader.data_loader=synthetic", "dataset.format=synthetic"])
