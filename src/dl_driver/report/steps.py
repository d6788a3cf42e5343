# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""steps.parquet: every step of every accelerator, so that each statistic can be computed again."""

from pathlib import Path
from typing import Any

import numpy as np

from dl_driver.metrics.record import Block, RunRecord

_STAMPS = ("wait_ns", "compute_ns", "barrier_ns", "bytes", "samples", "decode_ns", "end_ns")


def write_steps(record: RunRecord, path: Path) -> None:
    """A row a step and accelerator, a row group a block."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields: list[Any] = [("epoch", pa.int32()), ("phase", pa.string()), ("block", pa.int32()), ("step", pa.int64())]
    fields += [("accelerator", pa.int32()), *((name, pa.int64()) for name in _STAMPS)]
    schema = pa.schema(fields)
    # Opened here: pyarrow takes a path for a URI, and refuses names that are no UTF-8.
    with path.open("wb") as file, pq.ParquetWriter(file, schema) as writer:
        for epoch in record.epochs:
            for block in epoch.blocks:
                writer.write_table(pa.table(_columns(block), schema=schema))


def _columns(block: Block) -> dict[str, Any]:
    steps, accelerators = block.stamps.wait_ns.shape
    rows = steps * accelerators
    return {
        "epoch": np.full(rows, block.epoch, np.int32),
        "phase": [block.phase.value] * rows,
        "block": np.full(rows, block.number, np.int32),
        "step": np.repeat(np.arange(1, steps + 1, dtype=np.int64), accelerators),
        "accelerator": np.tile(np.arange(accelerators, dtype=np.int32), steps),
    } | {name: getattr(block.stamps, name).ravel() for name in _STAMPS}
