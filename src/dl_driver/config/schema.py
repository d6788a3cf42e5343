# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A workload: every section and key that dlio_benchmark and its MLCommons fork know, and a few of our own.

Names, defaults and meanings are DLIO's; a key that nothing here acts on yet is listed in ``NO_EFFECT``.
"""

from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dl_driver.config.duration import Duration
from dl_driver.config.locations import data_uri


class Section(BaseModel):
    """Unknown keys are errors; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Shuffle(Enum):
    """How an order is shuffled."""

    OFF = "off"
    SEED = "seed"
    """By train.seed and the epoch."""
    RANDOM = "random"
    """Anew each run."""


def _shuffle(value: object) -> object:
    if isinstance(value, bool):
        return Shuffle.SEED if value else Shuffle.OFF
    return value


def _sequence(value: object) -> object:
    return [value] if isinstance(value, (int, str)) else value


ShuffleField = Annotated[Shuffle, BeforeValidator(_shuffle)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Dims = Annotated[tuple[Positive, ...], BeforeValidator(_sequence)]
FORMATS = (
    "tfrecord", "hdf5", "hdf5_opt", "csv", "npz", "npy", "jpeg", "png", "parquet", "indexed_binary",
    "mmap_indexed_binary", "synthetic",
)  # fmt: skip
Datatype = Literal["int8", "uint8", "fp16", "bf16", "fp32", "fp64"]


class Workflow(Section):
    """Which phases run."""

    generate_data: bool = False
    train: bool = True
    evaluation: bool = False
    checkpoint: bool = False
    profiling: bool = False
    query: str | None = None
    debug: bool | None = None


class Parallelism(Section):
    """How a model is spread over ranks."""

    tensor: Positive = 1
    pipeline: Positive = 1
    data: int = -1
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 0


class Transformer(Section):
    """A transformer's sizes."""

    vocab_size: Positive = 32000
    hidden_size: Positive = 2048
    ffn_hidden_size: Positive = 8192
    num_attention_heads: Positive = 32
    num_kv_heads: Positive = 8


class Model(Section):
    """The model, for names and checkpoints."""

    name: str = "default"
    type: str | None = None
    model_size_bytes: Count = 10240
    optimization_groups: tuple[Count, ...] = ()
    num_layers: int = -1
    layer_parameters: tuple[Count, ...] = ()
    model_datatype: Datatype = "fp16"
    optimizer_datatype: Datatype = "fp32"
    parallelism: Parallelism = Parallelism()
    transformer: Transformer = Transformer()


class Hdf5(Section):
    """HDF5's layout."""

    chunk_dims: Dims = ()
    num_dset_per_record: Positive = 1
    max_shape: Dims = ()


class ParquetColumn(Section):
    """A column."""

    name: str
    dtype: str = "float32"
    size: Positive = 1
    read: bool = True


class Parquet(Section):
    """Parquet's layout."""

    columns: tuple[ParquetColumn, ...] = ()
    row_group_size: Positive | None = None
    read_mode: str | None = None
    partition_by: str | None = None
    generation_batch_size: Positive | None = None
    use_s3dlio_gen: bool | None = None


class Dataset(Section):
    """The data set."""

    record_length_bytes: Annotated[float, Field(gt=0)] = 65536
    record_length_bytes_stdev: Annotated[float, Field(ge=0)] = 0
    record_length_bytes_resize: Count = 0
    record_dims: Dims = ()
    record_element_type: str = "uint8"
    record_element_bytes: Positive | None = None
    num_files_train: Count = 8
    num_files_eval: Count = 0
    num_samples_per_file: Positive = 1
    data_folder: str = "./data/"
    num_subfolders_train: Count = 0
    num_subfolders_eval: Count = 0
    format: str = "tfrecord"
    file_prefix: str = "img"
    keep_files: bool = True
    compression: Literal["none", "gzip", "zip", "bz2", "xz", "lzf", "lz4", "zstd"] = "none"
    compression_level: Annotated[int, Field(ge=0, le=22)] = 4
    enable_chunking: bool = False
    chunk_size: Count = 0
    generation_buffer_size: Positive = 2 << 30
    hdf5: Hdf5 = Hdf5()
    parquet: Parquet = Parquet()
    skip_listing: bool = False
    listing_validation_interval: Positive = 1000
    num_files_generated: Count | None = None
    data_gen_method: Literal["dgen", "numpy"] | None = None
    total_disk_bytes: Count | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format!r} is unknown; there are {', '.join(FORMATS)}")
        if self.record_dims and self.record_length_bytes_stdev:
            raise ValueError("record_dims fixes the size, so record_length_bytes_stdev must be 0")
        if self.format in ("jpeg", "png") and len(self.record_dims) > 2:
            raise ValueError(
                f"{self.format} format does not support more than 2 dimensions, but got {len(self.record_dims)} dimensions."
            )
        try:
            import numpy as np

            np.dtype(self.record_element_type)
        except TypeError:
            raise ValueError(f"record_element_type {self.record_element_type!r} is no NumPy type") from None
        return self


class Reader(Section):
    """The loader of each accelerator."""

    data_loader: (
        Literal["tensorflow", "pytorch", "dali", "native_dali", "synthetic", "custom", "none", "jax"] | None
    ) = None
    data_loader_classname: str | None = None
    data_loader_sampler: Literal["iterative", "index", "none"] | None = None
    reader_classname: str | None = None
    multiprocessing_context: Literal["fork", "spawn", "forkserver"] | None = None
    read_threads: Count = 1
    write_threads: Positive | None = None
    computation_threads: Count = 1
    batch_size: Positive = 1
    batch_size_eval: Positive = 1
    prefetch_size: Count = 2
    file_shuffle: ShuffleField = Shuffle.OFF
    sample_shuffle: ShuffleField = Shuffle.OFF
    shuffle_size: Count = 1024
    read_type: Literal["on_demand", "memory"] = "on_demand"
    file_access: Literal["multi", "shared", "collective", "mpio", "posix"] = "multi"
    transfer_size: Positive | None = None
    odirect: bool = False
    dont_use_mmap: bool = False
    pin_memory: bool = True
    preprocess_time: Duration = Duration()
    preprocess_time_stdev: Annotated[float, Field(ge=0)] | None = None
    transformed_record_dims: Dims = ()
    transformed_record_element_type: str = "uint8"
    # Ours.
    order: Literal["plan", "completion"] = "plan"
    drop_last: bool = True
    workers: Positive | None = None
    pool_size: Positive | None = None
    readahead: Positive | None = None
    max_inflight: Positive | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    window_bytes: Annotated[int, Field(ge=4096)] = 4 << 20


class Train(Section):
    """The training."""

    epochs: Positive = 1
    computation_time: Duration = Duration()
    computation_time_stdev: Annotated[float, Field(ge=0)] | None = None
    total_training_steps: int = -1
    seed_change_epoch: bool = True
    seed: Count = 123


class Evaluation(Section):
    """The evaluation."""

    eval_time: Duration = Duration()
    eval_time_stdev: Annotated[float, Field(ge=0)] | None = None
    eval_after_epoch: Positive = 1
    epochs_between_evals: Positive = 1


class Ksm(Section):
    """Kernel samepage merging of checkpoint tensors."""

    madv_mergeable_id: int = 12
    high_ram_trigger: float = 30.0
    low_ram_exit: float = 15.0
    await_time: float = 200.0


class Checkpoint(Section):
    """Checkpoints."""

    checkpoint_folder: str = "./checkpoints/"
    checkpoint_after_epoch: Count = 1
    epochs_between_checkpoints: Positive = 1
    steps_between_checkpoints: int = -1
    type: Literal["rank_zero", "all_ranks"] = "rank_zero"
    checkpoint_mechanism_classname: str | None = None
    fsync: bool = False
    time_between_checkpoints: float = -1
    num_checkpoints_write: int = -1
    num_checkpoints_read: int = -1
    recovery_rank_shift: bool = False
    rank_sync: bool = False
    mode: Literal["default", "subset"] = "default"
    randomize_tensor: bool = True
    ksm: Ksm | None = None
    compression: str | None = None
    compression_level: int | None = None


class OutputMetric(Section):
    """Steps that the metrics leave out."""

    exclude_start_steps: Count = 1
    exclude_end_steps: Count = 0


class Output(Section):
    """Where results go."""

    folder: str | None = None
    log_file: str = "dlio.log"
    metric: OutputMetric = OutputMetric()


def _fraction(value: object) -> object:
    """0.9 or 90: the Rust program took both."""
    return (
        value / 100 if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 < value <= 100 else value
    )


class Metric(Section):
    """Targets."""

    au: Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)] = 0.90


class Profiling(Section):
    """Profilers."""

    profiler: Literal["iostat", "darshan", "tensorboard", "none"] = "iostat"
    iostat_devices: Annotated[tuple[str, ...], BeforeValidator(_sequence)] = ()


class StorageOptions(Section):
    """Of object stores."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    s3_force_path_style: bool | None = None
    s3_max_attempts: Positive | None = None
    storage_library: str | None = None
    uri_scheme: str | None = None
    prefetch_window: Positive | None = None
    decode: Literal["raw", "arrow"] | None = None
    simulate_io: bool | None = None


class StorageSection(Section):
    """Where data lie and how they are reached."""

    storage_type: Literal["local_fs", "parallel_fs", "direct_fs", "s3", "aistore"] = "local_fs"
    storage_root: str = "./"
    storage_options: StorageOptions = StorageOptions()
    storage_library: str | None = None
    s3_force_path_style: bool | None = None
    post_generation_settle_seconds: Annotated[float, Field(ge=0)] | None = None
    # Ours.
    engine: Literal["auto", "ring", "threads"] = "auto"
    strict_direct: bool = False


class Workload(Section):
    """A whole workload."""

    framework: Literal["tensorflow", "pytorch", "jax"] = "tensorflow"
    workflow: Workflow = Workflow()
    model: Model = Model()
    dataset: Dataset = Dataset()
    reader: Reader = Reader()
    train: Train = Train()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
    output: Output = Output()
    metric: Metric = Metric()
    profiling: Profiling = Profiling()
    storage: StorageSection = StorageSection()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def data_uri(self) -> str:
        """The data folder as a URI."""
        direct = self.reader.odirect or self.storage.storage_type == "direct_fs"
        return data_uri(self.dataset.data_folder, self.storage.storage_root, direct=direct)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        clash = {("tensorflow", "pytorch"), ("pytorch", "tensorflow")}
        if (self.framework, self.reader.data_loader) in clash:
            raise ValueError(
                f"framework {self.framework} and reader.data_loader {self.reader.data_loader} do not go together;"
                " set both alike"
            )
        if self.model.parallelism.pipeline > 1 and self.model.parallelism.zero_stage == 3:
            raise ValueError("model.parallelism.zero_stage 3 excludes pipeline parallelism; set pipeline to 1")
        if 0 < self.model.num_layers < self.model.parallelism.pipeline:
            raise ValueError("model.num_layers is smaller than model.parallelism.pipeline")
        return self


NO_EFFECT: dict[str, Any] = dict.fromkeys(
    (
        "workflow.query", "workflow.debug", "dataset.record_element_bytes", "dataset.enable_chunking",
        "dataset.chunk_size", "dataset.generation_buffer_size", "dataset.data_gen_method", "dataset.total_disk_bytes",
        "reader.data_loader_classname", "reader.reader_classname", "reader.multiprocessing_context",
        "reader.file_access", "reader.transfer_size", "reader.dont_use_mmap", "reader.transformed_record_dims",
        "reader.computation_threads", "reader.shuffle_size", "storage.storage_library", "checkpoint.type",
        "checkpoint.ksm",
    ),
    "is accepted and has no effect here",
)  # fmt: skip
"""Keys that are known and change nothing: a warning each, where a workload sets them."""
