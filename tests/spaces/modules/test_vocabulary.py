"""The vocabulary of operations."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import flex_attention

from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import (
    _KINDS,
    NUM_COLUMNS,
    NUM_HASHED_COLUMNS,
    OPERATIONS,
    TERMINALS,
    column,
    normalised,
)


def test_no_name_stands_for_two_operations() -> None:
    names = [name for listed in _KINDS.values() for name in listed.split()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("conv2d", "conv"),
        ("Conv", "conv"),
        ("_convolution", "conv"),
        ("add_", "add"),
        ("__iadd__", "add"),
        ("Gemm", "linear"),
        ("view", "reshape"),
        ("my_operation_", "my_operation"),
    ],
)
def test_names_of_all_sources_are_normalised(name: str, operation: str) -> None:
    assert normalised(name) == operation


def test_columns_are_apart_but_for_unknown_operations() -> None:
    columns = [column(operation) for operation in TERMINALS + OPERATIONS]
    assert columns == list(range(len(columns)))
    assert len(columns) <= column("mystery") == column("mystery") < NUM_COLUMNS


def test_functions_of_torch_that_the_vocabulary_names_exist() -> None:
    known = (
        set(dir(torch)) | set(dir(functional)) | set(dir(torch.Tensor)) | set(dir(torch.ops.aten))
    )
    named = [n for listed in _KINDS.values() for n in listed.split() if n[0].islower()]
    linalg = {f"linalg_{name}" for name in dir(torch.linalg)}
    fft = {f"fft_{name.removeprefix('fft_')}" for name in dir(torch.fft)}
    known |= set(dir(flex_attention))
    assert [n for n in named if n not in known | linalg | fft] == []


def test_the_space_has_the_columns_of_the_vocabulary() -> None:
    assert NETWORKS.num_columns == NUM_COLUMNS
    assert [column(name) for name in NETWORKS.vocabulary[:-NUM_HASHED_COLUMNS]] == list(
        range(NUM_COLUMNS - NUM_HASHED_COLUMNS)
    )
