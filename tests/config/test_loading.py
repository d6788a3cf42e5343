# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import pickle

import pytest

from dl_driver.config import Duration, Shuffle, bundled_names, load
from dl_driver.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write_file(text):
        path = tmp_path / "w.yaml"
        path.write_text(text)
        return str(path)

    return write_file


def problems_of(source, *overrides):
    with pytest.raises(ConfigError) as caught:
        load(source, overrides)
    return caught.value.problems


def named(problems):
    return [(problem.path, problem.line) for problem in problems]


@pytest.mark.parametrize("name", bundled_names())
def test_every_bundled_workload_loads_and_composes_again(name, write):
    loaded = load(name)
    again = load(write(json.dumps(loaded.composed)))  # JSON is YAML
    assert again.workload == loaded.workload
    assert pickle.loads(pickle.dumps(loaded.workload)) == loaded.workload
    assert not [warning for warning in loaded.warnings if "no effect" not in warning]


def test_the_file_may_stand_under_workload(write):
    bare = load(write("reader: {batch_size: 3}\n")).workload
    nested = load(write("workload:\n  reader: {batch_size: 3}\n")).workload
    assert bare == nested
    assert bare.reader.batch_size == 3
    (problem,) = problems_of(write("workload:\n  reader: {batch_size: 3}\ntrain: {}\n"))
    assert (problem.path, problem.line) == ("train", 3)


def test_words_that_yaml_takes_for_booleans(write):
    workload = load(
        write(
            "workflow: {train: yes, evaluation: off, checkpoint: no}\n"
            "reader: {file_shuffle: off, sample_shuffle: on, odirect: on, multiprocessing_context: None}\n"
            "dataset: {compression: none}\n"
        )
    ).workload
    assert workload.workflow.train
    assert not workload.workflow.evaluation
    assert workload.reader.file_shuffle is Shuffle.OFF
    assert workload.reader.sample_shuffle is Shuffle.SEED
    assert workload.reader.odirect
    assert workload.dataset.compression == "none"


@pytest.mark.parametrize(("value", "expected"), [("false", Shuffle.OFF), ("true", Shuffle.SEED), ("random", "random")])
def test_shuffles(write, value, expected):
    assert load(write(f"reader: {{file_shuffle: {value}}}\n")).workload.reader.file_shuffle == expected


def test_numbers(write):
    workload = load(
        write(
            "dataset: {record_length_bytes: 114660.07, num_files_train: 1e6, record_length_bytes_resize: 0x10}\n"
            "train: {total_training_steps: -1, seed: 010, computation_time: 2, computation_time_stdev: 0.5}\n"
            "metric: {au: 90}\n"
        )
    ).workload
    assert workload.dataset.record_length_bytes == 114660.07
    assert workload.dataset.num_files_train == 1_000_000
    assert workload.dataset.record_length_bytes_resize == 16
    assert workload.train.total_training_steps is None
    assert workload.train.seed == 10
    assert workload.train.computation_time == Duration.parse({"mean": 2, "stdev": 0.5})
    assert workload.metric.au == 0.9


def test_null_is_the_default(write):
    workload = load(write("reader:\ntrain: {epochs: null, seed: ~}\ndataset: {record_dims: null}\n")).workload
    assert workload.train.epochs == 1
    assert workload.train.seed == 123
    assert workload.dataset.record_dims == ()


def test_a_loader_alone_does_not_clash_with_the_frameworks_default(write):
    assert load(write("reader: {data_loader: pytorch}\n")).workload.framework == "pytorch"
    assert load(write("framework: pytorch\n")).workload.framework == "pytorch"


BAD = """\
framework: pytorch
dataset:
  record_length: 1000
  formt: npz
  format: nzp
  record_dims: [3, 4, 5]
  record_length_bytes_stdev: 5
reader:
  data_loader: tensorflow
  batch_size: 0
  odirect: maybe
train:
  computation_time: {mean: 1, stdv: 3}
  epochs: 1.5
  seed: true
tran: 5
output: folder
batch_size: 3
"""


def test_all_problems_at_once_each_with_its_line(write):
    problems = problems_of(
        write(BAD), "reader.bach_size=5", "dataset.num_files_eval=some", "a", "reader.read_threads=1,2"
    )
    assert sorted(named(problems), key=str) == sorted(
        [
            ("dataset.format", 5),
            ("dataset.formt", 4),
            ("reader.batch_size", 10),
            ("reader.odirect", 11),
            ("train.computation_time", 13),
            ("train.epochs", 14),
            ("train.seed", 15),
            ("tran", 16),
            ("output", 17),
            ("batch_size", 18),
            ("reader.data_loader", 9),
            ("dataset.record_dims", 6),
            ("reader.bach_size", None),
            ("dataset.num_files_eval", None),
            ("a", None),
            ("reader.read_threads=1,2", None),
        ],
        key=str,
    )
    text = {problem.path: problem.message for problem in problems}
    assert "dataset.format" in text["dataset.formt"]
    assert "npz" in text["dataset.format"]
    assert "train" in text["tran"]
    assert "reader.batch_size" in text["batch_size"]
    assert "reader.batch_size" in text["reader.bach_size"]
    assert {problem.file for problem in problems if problem.line is None} == {"override"}


def test_a_key_within_a_list_is_named(write):
    (problem,) = problems_of(write("dataset:\n  parquet:\n    columns:\n    - {name: a, dtyp: float32}\n"))
    assert (problem.path, problem.line) == ("dataset.parquet.columns", 3)
    assert "dtype" in problem.message


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("dataset: {record_dims: [2, 2], record_length_bytes_stdev: 1}", "dataset.record_dims", "stdev"),
        (
            "dataset: {format: jpeg, record_dims: [1, 2, 3]}",
            "dataset.record_dims",
            "jpeg format does not support more than 2 dimensions, but got 3 dimensions.",
        ),
        (
            "dataset: {format: png, record_dims: [1, 2, 3]}",
            "dataset.record_dims",
            "png format does not support more than 2 dimensions, but got 3 dimensions.",
        ),
        ("dataset: {format: png, record_dims: [9]}", "dataset.record_dims", "[1, 9] is one row"),
        ("dataset: {format: jpeg, num_samples_per_file: 2}", "dataset.num_samples_per_file", "is one image"),
        ("dataset: {record_dims: [5], hdf5: {num_dset_per_record: 2}}", "dataset.hdf5.num_dset_per_record", "evenly"),
        ("{framework: tensorflow, reader: {data_loader: pytorch}}", "reader.data_loader", "tensorflow"),
        ("dataset: {num_files_train: 0}", "dataset.num_files_train", "nothing to train on"),
        ("{dataset: {num_files_train: 3}, reader: {batch_size: 4}}", "dataset.num_files_train", "do not fill"),
        ("workflow: {evaluation: true}", "dataset.num_files_eval", "nothing to evaluate"),
        ("train: {total_training_steps: 9}", "train.total_training_steps", "an epoch has 8"),
        ("model: {num_layers: 2, parallelism: {pipeline: 4}}", "model.parallelism.pipeline", "2 layers"),
        ("model: {parallelism: {pipeline: 2, zero_stage: 3}}", "model.parallelism.zero_stage", "stage 3"),
        ("model: {parallelism: {data: 2}}", "model.parallelism.data", "subset"),
        ("checkpoint: {mode: subset}", "checkpoint.mode", "parallelism.data"),
        ("checkpoint: {num_checkpoints_write: 1, num_checkpoints_read: 2}", "checkpoint.num_checkpoints_read", "1 are"),
        ("checkpoint: {ksm: {}}", "checkpoint.ksm", "randomize_tensor"),
        ("{dataset: {data_folder: 'file:///d'}, reader: {odirect: true}}", "reader.odirect", "direct://"),
        ("train: {computation_time: {mean: 1, stdev: 2}, computation_time_stdev: 3}", "train", "keep one"),
    ],
)
def test_impossible_combinations(write, text, path, words):
    (problem,) = problems_of(write(text + "\n"))
    assert problem.path == path
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("reader:\n  batch_size: 1\n  batch_size: 2\n", "'batch_size' stands twice", 3),
        ("reader: [\n", "not valid YAML", 2),
        ("a: !!python/object:os.system {}\n", "not valid YAML", 1),
        ("", "empty", None),
        ("- 1\n", "found a list", 1),
        ("workload: 5\n", "found 5", 1),
        ("a: 1\n---\nb: 2\n", "not valid YAML", 2),
        ("a: 1\n? [b, c]\n: 2\n", "not valid YAML: a key is no text", 2),
        ("a: 1\nreader: &r {batch_size: *r}\n", "not valid YAML: an anchor's value holds itself", 2),
        ("reader: &r [*r]\n", "not valid YAML: an anchor's value holds itself", 1),
    ],
)
def test_files_that_are_no_workload(write, text, words, line):
    (problem,) = problems_of(write(text))
    assert words in problem.message
    assert problem.line == line


def test_merge_keys_and_anchors(write):
    merged = load(write("model:\n  name: &n x\n  type: *n\ntrain:\n  <<: {epochs: 3, seed: 4}\n  seed: 5\n")).workload
    assert (merged.model.type, merged.train.epochs, merged.train.seed) == ("x", 3, 5)


def test_files_that_are_not_there(tmp_path):
    (problem,) = problems_of(str(tmp_path / "no.yaml"))
    assert "no such file" in problem.message
    (problem,) = problems_of(str(tmp_path))
    assert "folder" in problem.message
    (problem,) = problems_of("unet3d_h10")
    assert "unet3d_h100" in problem.message
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    (problem,) = problems_of(str(tmp_path / "b.yaml"))
    assert "UTF-8" in problem.message


def test_references(write, monkeypatch):
    monkeypatch.setenv("DL_DRIVER_TEST_ROOT", "/mnt/x")
    source = write(
        "train: {epochs: 7}\n"
        "evaluation: {eval_after_epoch: '${train.epochs}', epochs_between_evals: '${workload.train.epochs}'}\n"
        "dataset: {data_folder: '${oc.env:DL_DRIVER_TEST_ROOT}/data'}\n"
    )
    workload = load(source).workload
    assert workload.evaluation.eval_after_epoch == 7
    assert workload.dataset.data_folder == "/mnt/x/data"
    assert load(source, ["train.epochs=2"]).workload.evaluation.epochs_between_evals == 2
    (problem,) = problems_of(write("train:\n  epochs: ${train.epoch}\n"))
    assert (problem.path, problem.line) == ("train.epochs", 2)


def test_warns_of_what_has_no_effect_once_and_only_where_it_differs(write):
    loaded = load(write("reader:\n  file_access: shared\n  shuffle_size: 5\n  pin_memory: true\n"))
    assert len(loaded.warnings) == 2
    assert all("no effect" in warning for warning in loaded.warnings)
    assert ":2: reader.file_access" in loaded.warnings[0] + loaded.warnings[1]


def test_secrets_stay_secret(write):
    loaded = load(
        write("storage: {storage_options: {access_key_id: AKID123, secret_access_key: hunter2}}\n"),
        ["storage.storage_options.session_token=tok3n"],
    )
    assert loaded.workload.storage.storage_options.secret_access_key.get_secret_value() == "hunter2"
    for text in (json.dumps(loaded.composed), repr(loaded), str(loaded.warnings)):
        assert not any(secret in text for secret in ("AKID123", "hunter2", "tok3n"))
    for bad in (
        "storage.storage_options.secret_access_key='hunter2",
        "storage.storage_options.secret_access_key=[hunter2]",
    ):
        (problem,) = problems_of("demo", bad)
        assert "hunter2" not in str(problem)


def test_hdf5_opt_names_what_replaces_it():
    with pytest.raises(
        ConfigError, match=r"dataset\.format: dlio_benchmark names hdf5_opt .* use hdf5, with dataset\."
    ):
        load("demo", ["dataset.format=hdf5_opt"])
