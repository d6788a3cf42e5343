# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import Shuffle, load
from dl_driver.errors import ConfigError


@pytest.fixture
def loaded(tmp_path):
    def load_text(text, *overrides):
        path = tmp_path / "old.yaml"
        path.write_text(text)
        return load(str(path), overrides)

    return load_text


def test_mlperf_storage_v05(loaded):
    workload = loaded("""\
model: unet3d
framework: pytorch
workflow: {generate_data: False, train: True, checkpoint: True}
dataset:
  data_folder: data/unet3d/
  format: npz
  num_files_train: 168
  num_samples_per_file: 1
  record_length: 146600628
  record_length_stdev: 68341808
  record_length_resize: 2097152
data_reader: {data_loader: pytorch, batch_size: 4, read_threads: 4, file_shuffle: seed, sample_shuffle: seed}
train: {epochs: 5, computation_time: 1.3604}
checkpoint: {checkpoint_folder: checkpoints/unet3d, checkpoint_after_epoch: 5, model_size: 499153191}
metric_exclude_start_steps: 2
metric: {metric_exclude_end_steps: 3, au: 0.9}
""").workload
    assert workload.name == "unet3d"
    assert workload.dataset.record_length_bytes == 146600628
    assert workload.dataset.record_length_bytes_stdev == 68341808
    assert workload.dataset.record_length_bytes_resize == 2097152
    assert workload.reader.batch_size == 4
    assert workload.model.model_size_bytes == 499153191
    assert (workload.output.metric.exclude_start_steps, workload.output.metric.exclude_end_steps) == (2, 3)


def test_the_rust_programs_workload(loaded):
    result = loaded("""\
model: {name: m, model_size: 5, framework: tensorflow}
dataset: {data_folder: "file:///d", format: npz, record_length_bytes: 1024, compression: none}
reader:
  batch_size: 2
  prefetch: 4
  shuffle: true
  compute_threads: 1
  seed: 42
  drop_last: false
  num_parallel_calls: -1
  file_access_type: multi_threaded
checkpointing: {enabled: false, uri: "file:///c", steps_between_checkpoints: 3, compression: zstd, compression_level: 3}
profiling: {profiler: none, iostat: false}
train: {epochs: 2, computation_time: 1, computation_time_stdev: 0.5}
metric: {au: 90}
framework_profiles:
  tensorflow: {shuffle_buffer_size: 1024, prefetch_buffer_size: 4, drop_remainder: false}
  pytorch: {batch_size: 99}
""")
    workload = result.workload
    assert workload.framework == "tensorflow"
    assert workload.model.model_size_bytes == 5
    assert workload.reader.prefetch_size == 4
    assert workload.reader.batch_size == 2
    assert workload.reader.file_shuffle is workload.reader.sample_shuffle is Shuffle.SEED
    assert workload.train.seed == 42
    assert not workload.reader.drop_last
    assert not workload.reader.odirect
    assert workload.checkpoint.checkpoint_folder == "file:///c"
    assert workload.checkpoint.steps_between_checkpoints == 3
    assert workload.train.computation_time.as_dlio() == {"mean": 1.0, "stdev": 0.5}
    assert workload.metric.au == 0.9
    assert any("framework_profiles.pytorch.batch_size" in warning for warning in result.warnings)


@pytest.mark.parametrize("name", ["uri", "folder", "path", "dir"])
@pytest.mark.parametrize("section", ["checkpoint", "checkpointing"])
def test_names_of_the_checkpoint_folder(loaded, section, name):
    assert loaded(f"{section}: {{{name}: /c}}\n").workload.checkpoint.checkpoint_folder == "/c"


@pytest.mark.parametrize("place", ["pytorch_config", "framework_profiles.pytorch"])
def test_the_frameworks_profile_sets_the_reader(loaded, place):
    override = f"{place}={{num_workers: 6, batch_size: 3, shuffle: true, pin_memory: true, persistent_workers: true}}"
    result = loaded("framework: pytorch\n", override)
    assert result.workload.reader.read_threads == 6
    assert result.workload.reader.batch_size == 3
    assert result.workload.reader.file_shuffle is Shuffle.SEED
    assert len(result.warnings) == 1


def test_direct_file_access(loaded):
    assert loaded("reader: {file_access_type: direct_io}\n").workload.reader.odirect
    with pytest.raises(ConfigError) as caught:
        loaded("reader:\n  file_access_type: magic\n")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("reader.file_access_type", 2)


def test_two_spellings_must_agree(loaded):
    same = loaded("dataset: {record_length: 100, record_length_bytes: 100.0}\n").workload
    assert same.dataset.record_length_bytes == 100
    with pytest.raises(ConfigError) as caught:
        loaded("dataset:\n  record_length_bytes: 100\n  record_length: 200\nreader: {prefetch: 1, prefetch_size: 2}\n")
    first, second = caught.value.problems
    assert (first.path, first.line) == ("dataset.record_length", 3)
    assert "dataset.record_length_bytes (line 2)" in first.message
    assert second.path == "reader.prefetch_size"


def test_a_wrong_value_is_named_as_it_was_written(loaded):
    with pytest.raises(ConfigError) as caught:
        loaded("dataset:\n  record_length: -1\n")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("dataset.record_length", 2)
