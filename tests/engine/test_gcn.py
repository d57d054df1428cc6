"""Training of GCNs against a plain one, and members against each other."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch_geometric.data import Batch

from pyg_nas.engine.dropout import DropoutMasks, draw_key
from pyg_nas.engine.gcn import torch_epochs, train_sparse, train_stacked
from pyg_nas.engine.gcn_config import TrainingConfig, TrainingTask, adam, draw_batches
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense import dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.testing import small_cells
from tests.engine.conftest import assert_same_weights, new_member

pytestmark = pytest.mark.engine

CONFIG = TrainingConfig(epochs=4, batch_size=8, learning_rate=1e-3)


def test_equals_a_plain_loop_without_dropout(
    training_cells: CellArray, targets: torch.Tensor
) -> None:
    """torch's own Adam, scheduler and autograd on the sparse forward pass, one batch at a time."""
    dense = dense_cells(training_cells)
    member, plain = new_member(0, 0.0), new_member(0, 0.0)
    train_stacked([member], dense, targets, CONFIG, [11])

    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, CONFIG.epochs)
    generator = torch.Generator().manual_seed(11)
    masks = DropoutMasks([generator], [(8, 7, 12), (8, 7, 12), (8, 8)], 0.0, torch.device("cpu"))
    for _ in range(CONFIG.epochs):
        order = torch.randperm(21, generator=generator)
        for index in (order[:8], order[8:16]):  # the last 5 are dropped
            # The masks of dropout 0 are drawn all the same, so that a member's stream of random
            # numbers does not depend on the setting.
            masks.draw()
            optimizer.zero_grad()
            batch = Batch.from_data_list([training_cells[row].to_data() for row in index.tolist()])
            predicted = plain(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
            loss = torch.nn.functional.mse_loss(predicted, targets[index])
            loss.backward()
            optimizer.step()
        scheduler.step()
    for (name, a), b in zip(member.state_dict().items(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3, msg=name)


def test_members_do_not_feel_each_other(training_cells: CellArray, targets: torch.Tensor) -> None:
    count = 7
    dense = dense_cells(training_cells)
    alone = [new_member(seed) for seed in range(count)]
    together = [new_member(seed) for seed in range(count)]
    for seed, member in enumerate(alone):
        train_stacked([member], dense, targets, CONFIG, [seed])
    train_stacked(together, dense, targets, CONFIG, list(range(count)))
    for a, b in zip(alone, together, strict=True):
        assert_same_weights(a, b)
    assert not torch.equal(together[0].head.weight, together[1].head.weight)


def test_a_network_that_diverges_shows_it(training_cells: CellArray, targets: torch.Tensor) -> None:
    config = TrainingConfig(epochs=6, batch_size=8, learning_rate=1e30)
    history = train_stacked([new_member(0)], dense_cells(training_cells), targets, config, [0])
    assert not torch.isfinite(history[-1]).any()


def test_weights_scale_the_loss(training_cells: CellArray, targets: torch.Tensor) -> None:
    dense = dense_cells(training_cells)
    one = TrainingConfig(epochs=1, batch_size=21)
    plain = train_stacked([new_member(0)], dense, targets, one, [0])
    doubled = train_stacked(
        [new_member(0)], dense, targets, one, [0], weights=torch.full((21,), 2.0)
    )
    torch.testing.assert_close(doubled, 2 * plain)


def test_fewer_cells_than_a_batch(training_cells: CellArray, targets: torch.Tensor) -> None:
    few = torch.arange(3)
    history = train_stacked(
        [new_member(0)], dense_cells(training_cells)[few], targets[few], CONFIG, [0]
    )
    assert history.shape == (4, 1)
    assert torch.isfinite(history).all()


def test_progress_receives_every_epoch(training_cells: CellArray, targets: torch.Tensor) -> None:
    heard: list[tuple[int, float]] = []
    history = train_stacked(
        [new_member(0)],
        dense_cells(training_cells),
        targets,
        CONFIG,
        [0],
        progress=lambda epoch, loss: heard.append((epoch, loss)),
    )
    assert [epoch for epoch, _ in heard] == [1, 2, 3, 4]
    assert [loss for _, loss in heard] == pytest.approx(history[:, 0].tolist())


def test_sparse_training_equals_stacked(training_cells: CellArray, targets: torch.Tensor) -> None:
    """The same batches and the same dropout, whichever network is run."""
    for loss in ("mse", "bce"):
        config = TrainingConfig(3, 8, 1e-3, loss=loss)
        goals = targets if loss == "mse" else (targets > 0).float()
        weights = torch.linspace(0.5, 1.5, 21)
        stacked, sparse = new_member(0), new_member(0)
        dense = dense_cells(training_cells)
        history = train_stacked([stacked], dense, goals, config, [5], weights=weights)

        def gather(index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            batch = Batch.from_data_list([training_cells[row].to_data() for row in index.tolist()])
            return batch.x, batch.edge_index, batch.batch

        real = torch.from_numpy(training_cells.mask)
        other = train_sparse(sparse, gather, real, goals, config, 5, weights=weights)
        torch.testing.assert_close(history, other, atol=1e-5, rtol=1e-4)
        assert_same_weights(stacked, sparse)


def test_threads_of_torch_are_left_as_they_were(
    training_cells: CellArray, targets: torch.Tensor
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        train_stacked(
            [new_member(seed) for seed in range(6)],
            dense_cells(training_cells),
            targets,
            CONFIG,
            list(range(6)),
        )
        # Each thread has its own setting; a new one starts from what was set last anywhere.
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_members_are_trained_as_if_they_were_alone() -> None:
    cells = small_cells(per_size=4)
    targets = torch.linspace(-1.0, 1.0, len(cells))
    config = TrainingConfig(epochs=3, batch_size=5, learning_rate=0.01)
    torch.manual_seed(0)
    members = [GCN(cells.space.num_columns, 6, 2, 4, dropout=0.0) for _ in range(2)]
    single = copy.deepcopy(members)
    task = TrainingTask(
        members, dense_cells(cells), targets, torch.ones(len(cells)), config, seeds=[3, 4]
    )
    losses = torch.stack(list(torch_epochs(task)))

    assert losses.shape == (3, 2)
    graphs = [cell.to_data() for cell in cells]
    for member, (network, seed) in enumerate(zip(single, (3, 4), strict=True)):
        generator = torch.Generator().manual_seed(seed)
        torch.testing.assert_close(
            losses[:, member], train_alone(network, graphs, targets, config, generator)
        )
        for name, weight in network.state_dict().items():
            torch.testing.assert_close(
                members[member].state_dict()[name], weight, atol=1e-5, rtol=1e-4
            )


def train_alone(network, graphs, targets, config, generator):
    # The trainer draws a key for dropout before the first batch.
    draw_key(generator)
    optimizer, schedule = adam(network.parameters(), config)
    means = []
    for _ in range(config.epochs):
        losses = []
        for batch in draw_batches(generator, len(graphs), config):
            outputs = [network(graphs[i].x, graphs[i].edge_index) for i in batch.tolist()]
            loss = (torch.cat(outputs) - targets[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        schedule.step()
        means.append(sum(losses) / len(losses))
    return torch.tensor(means)
