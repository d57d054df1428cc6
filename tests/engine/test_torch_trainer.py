"""Training by torch against a loop over single networks by sparse message passing."""

from __future__ import annotations

import copy

import torch

from pyg_nas.engine.config import TrainingConfig, TrainingTask, adam, draw_batches
from pyg_nas.engine.torch_trainer import torch_epochs
from pyg_nas.nn.dense import dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.testing import small_cells


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
            losses[:, member], _train(network, graphs, targets, config, generator)
        )
        for name, weight in network.state_dict().items():
            torch.testing.assert_close(
                members[member].state_dict()[name], weight, atol=1e-5, rtol=1e-4
            )


def _train(network, graphs, targets, config, generator):
    # The trainer draws a key for dropout before the first batch.
    from pyg_nas.engine.dropout import draw_key

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
