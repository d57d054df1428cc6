"""The network of a cell as a plain module: sized by its task, normalised like its task's images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import find_space, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure.network import Normalization, build_network
from pyg_nas.measure.tasks.task import Task

from .conftest import TINY_SETTINGS, chain, make_tiny_task

CELL = chain("conv3x3-bn-relu", "maxpool3x3")
SPACES = [name for name in space_names() if find_space(name).support.network is not None]


@pytest.mark.parametrize("name", SPACES)
def test_every_space_builds_for_ordinary_images(name: str, tiny_task: Task):
    space = find_space(name)
    cell = CELL if name == "nasbench101" else space.support.cells()[40]
    network = cell.build(tiny_task, seed=3)
    images = torch.from_numpy(tiny_task.test.images)
    assert network(images).shape == (40, 3)
    counted = sum(p.numel() for p in network.parameters() if p.requires_grad)
    cells = CellArray.from_cells([cell])
    assert counted == cells.trainable_parameters(tiny_task.network_size)[0]
    network.eval()
    mean, deviation = (torch.from_numpy(v).view(-1, 1, 1) for v in tiny_task.statistics)
    grouped = network.network(((images - mean) / deviation)[None])[0]
    torch.testing.assert_close(network(images), grouped, rtol=0, atol=0)
    # One image at a time: no image depends on its neighbours in the batch.
    alone = torch.cat([network(image[None]) for image in images[:5]])
    torch.testing.assert_close(alone, grouped[:5], rtol=1e-4, atol=1e-5)


def test_batch_normalisation_keeps_the_share_of_the_task():
    task = make_tiny_task(replace(TINY_SETTINGS, batch_norm_momentum=0.25))
    network = build_network(CELL, task)
    images = torch.from_numpy(task.train.images)
    first = network.network.layers[0][0](
        network.normalization(images).unsqueeze(0).permute(1, 3, 4, 0, 2)
    )
    network.train()(images)
    running = network.network.layers[0][1].running_mean
    torch.testing.assert_close(running, 0.75 * first.mean(dim=(0, 1, 2, 3)), rtol=1e-4, atol=1e-6)


def test_the_seed_draws_the_weights(tiny_task: Task):
    one, same, other = (build_network(CELL, tiny_task, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_task_is_found_by_its_name():
    assert CELL.build("digits")(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(MeasureError, match="a task must be"):
        CELL.build("no-such-task")


def test_images_get_the_moments_of_the_training_images(tiny_task: Task):
    seen = Normalization(*tiny_task.statistics)(torch.from_numpy(tiny_task.train.images)).numpy()
    np.testing.assert_allclose([seen.mean(), seen.std()], [0, 1], atol=1e-5)


def test_invalid_requests(tiny_task: Task):
    with pytest.raises(SettingsError, match="from a task or from a folder"):
        CELL.build()
    with pytest.raises(SettingsError, match="from a task or from a folder"):
        CELL.build(tiny_task, "folder")
    for seed in (None, 1.5, -1):
        with pytest.raises(SettingsError, match="seed must be "):
            CELL.build(tiny_task, seed=seed)
    narrow = make_tiny_task(replace(TINY_SETTINGS, stem_channels=1))
    wide = Cell(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4],
        ["input", "conv1x1-bn-relu", "conv1x1-bn-relu", "output"],
    )
    with pytest.raises(MeasureError, match="stem_channels must be at least 2"):
        wide.build(narrow)
    foreign = Cell([[0, 1], [0, 0]], ["a", "a"], SearchSpace("plain", ("a",), 3, 3))
    with pytest.raises(MeasureError, match="have no network"):
        foreign.build(tiny_task)
