# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model that is trained: its name, and what decides the size of a checkpoint."""

from typing import Annotated

from pydantic import Field

from dl_driver.config.sections.base import Choice, Count, Positive, PositiveLimit, Section


class Datatype(Choice):
    """How a number of the model is stored."""

    INT8 = "int8"
    UINT8 = "uint8"
    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"
    FP64 = "fp64"


class Parallelism(Section):
    """How the model is spread over accelerators."""

    tensor: Positive = 1
    """Accelerators that share each layer."""
    pipeline: Positive = 1
    """Accelerators that share the layers."""
    data: PositiveLimit = None
    """Copies of the model; -1: as many as fit the accelerators. Only with checkpoint.mode subset."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 0
    """How much of the model's state is spread over the copies."""


class Transformer(Section):
    """A transformer's dimensions."""

    vocab_size: Positive = 32000
    """Words."""
    hidden_size: Positive = 2048
    """Width of a layer."""
    ffn_hidden_size: Positive = 8192
    """Width of the feed-forward part."""
    num_attention_heads: Positive = 32
    """Query heads."""
    num_kv_heads: Positive = 8
    """Key and value heads."""


class Model(Section):
    """The model that is trained."""

    name: str = "default"
    """Names the results folder."""
    type: str | None = None
    """``transformer``, or anything else for a model of model_size_bytes."""
    model_size_bytes: Count = 10240
    """Bytes of a model that is no transformer."""
    optimization_groups: tuple[Count, ...] = ()
    """Elements of the optimizer's groups."""
    num_layers: PositiveLimit = None
    """Layers of a transformer; -1: no transformer."""
    layer_parameters: tuple[Count, ...] = ()
    """Elements of each part of a layer."""
    model_datatype: Datatype = Datatype.FP16
    """How weights are stored."""
    optimizer_datatype: Datatype = Datatype.FP32
    """How the optimizer's state is stored."""
    parallelism: Parallelism = Parallelism()
    """How the model is spread over accelerators."""
    transformer: Transformer = Transformer()
    """A transformer's dimensions."""
