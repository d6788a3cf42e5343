# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundled workloads, scaled down, generated and run as a user does: steps and bytes as calculated by hand.

A TFRecord of DLIO's takes its n bytes, 16 of framing, and of the Example five nested headers and a name of 7 bytes
before the bytes, then the entry ``size``. Where n has g groups of seven bits, a header takes 1 + g bytes, so that
7 + 5 * (1 + g) come before. After: four headers of 2, the name's 6, and the number itself, 14 + g.
"""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from real_command import dl_driver


def frame(size: int, groups: int) -> int:
    """Bytes of a framed record, see above."""
    return size + 16 + 7 + 5 * (1 + groups) + 14 + groups


CASES = {
    # 338 * 338 is the largest square within 114,660; 2 * 1,251 samples are 6 batches of 400, the rest is dropped.
    "resnet50_h100": ({"num_files_train": 2}, 6, 400 * frame(338**2, 3)),
    # 1,681 * 1,681 within 2,828,486; a file a step.
    "cosmoflow_h100": ({"num_files_train": 4, "record_length_bytes_stdev": 0}, 4, frame(1681**2, 4)),
    # 50 * 50; 2 * 480 samples are 20 batches of 48.
    "bert_v100": ({"num_files_train": 2, "num_samples_per_file": 480}, 20, 48 * frame(2500, 2)),
    # 45 * 45 within 2,048, nothing around them; 1,600 samples are 100 batches of 16.
    "megatron_deepspeed_LLNL": ({"num_samples_per_file": 1600}, 100, 16 * 45**2),
    # 819 * 819 within 671,088, a thousandth of what the workload has; a sample a step, found through the index.
    "dlrm": ({"num_samples_per_file": 32, "record_length_bytes": 671_088, "num_files_eval": 0}, 32, 819**2),
}
OVERRIDES = ("workflow.generate_data=true", "workflow.checkpoint=false", "workflow.evaluation=false",
             "train.computation_time=0", "train.epochs=1", "train.total_training_steps=-1")  # fmt: skip


@pytest.fixture(params=["file", "direct"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URI of a folder on disk."""
    if request.param == "direct":
        try:
            os.close(os.open(tmp_path / "probe", os.O_CREAT | os.O_RDWR | os.O_DIRECT))
        except OSError as error:
            pytest.skip(f"the file system of {tmp_path} refuses O_DIRECT: {error}")
    return f"{request.param}://{tmp_path}/data"


def run(workload: str, place: str, results: Path, *overrides: str) -> list[int]:
    """Bytes of each step."""
    ended = dl_driver(
        "run",
        workload,
        f"dataset.data_folder={place}",
        *OVERRIDES,
        *overrides,
        "--results",
        results,
        "--progress",
        "none",
    )
    assert ended.status in (0, 1), ended.err
    bytes_of: list[int] = pq.read_table(results / "steps.parquet").column("bytes").to_pylist()
    return bytes_of


@pytest.mark.parametrize("workload", CASES)
def test_steps_and_bytes(workload: str, place: str, tmp_path: Path) -> None:
    dataset, steps, step_bytes = CASES[workload]
    overrides = [f"dataset.{key}={value}" for key, value in dataset.items()]
    assert run(workload, place, tmp_path / "results", *overrides) == [step_bytes] * steps


@pytest.mark.parametrize(
    ("workload", "rows", "files", "again"), [("flux_b200", 8, 3, "timestamp"), ("dlrm_b200", 12_288, 2, None)]
)
def test_parquet_tables(workload: str, rows: int, files: int, again: str | None, place: str, tmp_path: Path) -> None:
    """A file a step, of which the columns that are read, as pyarrow counts them. Flux's rows of 2 MiB are read one by
    one, and with each the only page of the narrow column, seven times more than once."""
    made = [f"dataset.num_files_train={files}", f"dataset.num_samples_per_file={rows}", f"reader.batch_size={rows}"]
    steps = run(workload, place, tmp_path / "results", *made)
    paths = sorted((tmp_path / "data" / "train").glob("*.parquet"))
    assert len(paths) == files
    wanted = wanted_columns(workload)
    more = (rows - 1) * sum(chunk_sizes(paths[0], {again})) if again else 0
    assert sorted(steps) == sorted(more + sum(chunk_sizes(path, wanted)) for path in paths)


def wanted_columns(workload: str) -> set[str | None]:
    from dl_driver.config import load

    return {column.name for column in load(workload).workload.dataset.parquet.columns if column.read}


def chunk_sizes(path: Path, wanted: set[str | None]) -> list[int]:
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    return [chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in wanted]
