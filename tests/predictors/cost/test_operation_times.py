"""Times of operations, learned from the sums of a made-up device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.cost.operation_times import OperationTimes
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.spaces.modules.network_graph import NetworkGraph, Vertex
from pyg_nas.spaces.modules.trace import graph_of

SECONDS_OF_A_BYTE = {"relu": 1e-9, "linear": 1e-8}


def seconds(graph: NetworkGraph) -> np.ndarray:
    """Seconds of every vertex ``[V]`` on a device whose linear layers are slow."""
    return np.array(
        [
            SECONDS_OF_A_BYTE.get(v.operation, 0) * (v.bytes_read + v.bytes_written)
            for v in graph.vertices
        ]
    )


def network(width: int, depth: int, activations: int) -> NetworkGraph:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), *[nn.ReLU()] * activations]
    return graph_of(nn.Sequential(*layers), torch.zeros(512, width))


GRAPHS = [network(w, d, a) for w in (64, 128, 192, 256) for d in (1, 2, 4) for a in (1, 3, 9, 16)]
SUMS = np.array([seconds(graph).sum() for graph in GRAPHS])


def test_sums_and_their_parts_are_learned_from_sums_alone() -> None:
    model = OperationTimes().fit(GRAPHS, SUMS)
    unseen = network(160, 3, 5)
    predicted, known = model.times([unseen]), seconds(unseen)
    np.testing.assert_allclose(model.predict([unseen]), known.sum(), rtol=0.15)
    assert predicted.sum() > 0
    np.testing.assert_array_equal(predicted == 0, known == 0)
    np.testing.assert_allclose(predicted[known > 0], known[known > 0], rtol=0.4)


def test_a_stored_model_predicts_the_same(tmp_path: Path) -> None:
    model = OperationTimes(random_state=1).fit(GRAPHS, SUMS, np.arange(len(GRAPHS)) % 5)
    save_model(model, tmp_path)
    np.testing.assert_allclose(load_model(tmp_path).predict(GRAPHS), model.predict(GRAPHS), 1e-9)


def test_other_settings_may_be_slower_and_lack_measurements() -> None:
    others = np.column_stack([300 * SUMS, SUMS**0.9, np.full(len(SUMS), np.nan)])
    others[::5, 0] = np.nan
    model = OperationTimes().fit(GRAPHS, SUMS, None, others)
    unseen = [network(w, 3, a) for w in (96, 160, 224) for a in (2, 5, 12)]
    known = [seconds(graph).sum() for graph in unseen]
    np.testing.assert_allclose(model.predict(unseen), known, rtol=0.2)
    none = [
        OperationTimes().fit(GRAPHS, SUMS, None, o).predict(unseen) for o in (None, others[:, 2:])
    ]
    np.testing.assert_array_equal(*none)  # nothing was measured there


def test_what_is_refused_of_other_settings() -> None:
    with pytest.raises(SettingsError, match=r"others must be \[48, settings\], got \[48\]"):
        OperationTimes().fit(GRAPHS, SUMS, None, SUMS)
    with pytest.raises(SettingsError, match=r"others must be above 0, .* got -1"):
        OperationTimes().fit(GRAPHS, SUMS, None, np.full((48, 2), -1.0))


def test_fits_are_reproducible_and_leave_the_random_numbers_of_others_alone() -> None:
    before = torch.random.get_rng_state()
    one, two = (OperationTimes().fit(GRAPHS[:8], SUMS[:8]).predict(GRAPHS) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_networks_without_operations_and_unknown_operations_have_a_time() -> None:
    model = OperationTimes().fit(GRAPHS, SUMS)
    empty = NetworkGraph((Vertex("input", shape=(1, 4)), Vertex("output", sources=(0,))))
    unknown = graph_of(nn.Softmax(-1), torch.zeros(512, 64))
    known = graph_of(nn.ReLU(), torch.zeros(512, 64))
    times = model.predict([empty, unknown, known])
    assert (times > 0).all()
    assert times[0] < times[1] < 100 * times[2]
    assert model.predict([]).shape == (0,)
