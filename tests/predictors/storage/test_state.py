"""Declared state: what is written, and what is refused on reading."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import FiniteFloat
from sklearn.base import BaseEstimator

from pyg_nas.errors import ModelError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.storage.state import (
    Array,
    FittedState,
    Networks,
    Space,
    read_parts,
    read_state,
    write_state,
)

PLAIN = SearchSpace("plain", ("a", "b"), max_vertices=5, max_edges=10)


class Fitted(BaseEstimator):
    fitted_state: ClassVar = FittedState(
        arrays={
            "centre": Array("float64", ("d",)),
            "basis": Array("float64", ("d", "n"), torch=True),
            "rows": Array("int64", ("n",)),
            "target": Array("float64", ("n", "*k")),
            "extra": Array("float64", (2,), optional=True),
        },
        values={"space": Space, "mean": FiniteFloat, "pair": tuple[int, int]},
        parts={"first": True, "second": False},
        networks=Networks("layers_", build="empty", prefix="layer."),
    )

    def fit(self, X: object, y: object) -> Fitted:
        raise NotImplementedError

    def empty(self) -> list[torch.nn.Linear]:
        return [torch.nn.Linear(2, width, device="meta") for width in (3, 1)]


def fitted(**others: Any) -> Fitted:
    estimator = Fitted()
    attributes = {
        "centre_": np.arange(3.0),
        "basis_": torch.ones(3, 4, dtype=torch.float64),
        "rows_": np.arange(4),
        "target_": np.zeros((4, 2, 5)),
        "extra_": None,
        "space_": PLAIN,
        "mean_": np.float64(0.5),
        "pair_": (1, 2),
        "first_": SimpleNamespace(),
        "second_": None,
        "layers_": [torch.nn.Linear(2, width) for width in (3, 1)],
    }
    for name, value in {**attributes, **others}.items():
        setattr(estimator, name, value)
    return estimator


def test_what_is_written_is_read() -> None:
    before = fitted()
    tensors, values = read_state(before)
    assert values["pair"] == [1, 2]
    assert "extra" not in tensors
    after = Fitted()
    write_state(after, tensors, values, read_parts(before))
    assert (after.space_, after.mean_, after.pair_) == (PLAIN, 0.5, (1, 2))
    assert isinstance(after.basis_, torch.Tensor)
    np.testing.assert_array_equal(after.centre_, before.centre_)
    assert after.target_.shape == (4, 2, 5)
    assert after.extra_ is None
    assert after.second_ is None
    for one, two in zip(after.layers_, before.layers_, strict=True):
        assert torch.equal(one.weight, two.weight)
        assert not one.training


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("basis", torch.ones(3, 5, dtype=torch.float64), r"rows must be \(5,\), got \(4,\)"),
        ("basis", torch.ones(2, 4), r"basis must be \(3, 4\), got \(2, 4\)"),
        ("rows", torch.ones(4), "rows must be int64, got float32"),
        ("centre", torch.tensor([0.0, float("nan"), 0.0]), "centre must be finite"),
        ("centre", None, "a Fitted lacks centre; train the model again"),
        ("extra", torch.ones(3), r"extra must be \(2,\), got \(3,\)"),
        ("other", torch.ones(3), "weights of no network: other"),
        ("layer.0.weight", torch.ones(1), "weights layer.0 do not fit"),
    ],
)
def test_tensors_that_do_not_fit_are_named(name: str, value: Any, message: str) -> None:
    tensors, values = read_state(fitted())
    tensors[name] = value
    if value is None:
        del tensors[name]
    with pytest.raises(ModelError, match=message):
        write_state(Fitted(), tensors, values, {"first": SimpleNamespace()})


@pytest.mark.parametrize(
    ("name", "value"),
    [("mean", True), ("mean", "0.5"), ("mean", None), ("pair", [1]), ("pair", [1, 2.5])],
)
def test_values_that_do_not_fit_are_named(name: str, value: Any) -> None:
    tensors, values = read_state(fitted())
    with pytest.raises(ModelError, match=rf"{name}(\[1\])? is not valid, got "):
        write_state(Fitted(), tensors, {**values, name: value}, {"first": SimpleNamespace()})


def test_parts_are_those_declared() -> None:
    tensors, values = read_state(fitted())
    for wrong in ({}, {"first": 1, "third": 2}):
        with pytest.raises(ModelError, match="has the parts first, second"):
            write_state(Fitted(), tensors, values, wrong)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"arrays": ("w_",)}, r"arrays must be a dictionary .* an Array each, .* got \('w_',\)$"),
        ({"arrays": {"w": "float64"}}, r"arrays must be .* got \{'w': 'float64'\}$"),
        (
            {"arrays": {"w_": Array("float64")}},
            "arrays .* without the last underscore",
        ),
        ({"values": ["mean"]}, "values must be a dictionary .* a type of pydantic each"),
        ({"parts": {"inner": None}}, "parts must be a dictionary .* True where the part"),
        ({"networks": "network"}, "networks must be a Networks, got 'network'"),
    ],
)
def test_a_state_that_is_declared_in_another_way_is_named(declared: Any, message: str) -> None:
    with pytest.raises(ModelError, match=f"^fitted_state: {message}"):
        FittedState(**declared)
