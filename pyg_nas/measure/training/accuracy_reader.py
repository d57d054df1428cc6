"""Reading the accuracies of networks in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyg_nas.measure.network import Normalization
from pyg_nas.measure.tasks.objective import Objective
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.batches import at_once, read_tensor

# Small enough that the activations of small networks stay in a core's cache.
IMAGES_AT_ONCE = 128
# Large images are few at a time, so that they need no more memory than those of 64 pixels.
_PIXELS_AT_ONCE = IMAGES_AT_ONCE * 64 * 64


class AccuracyReader:
    """Reads the accuracies of all members of a network."""

    def __init__(self, task: Task, objective: Objective, members: int, device: str) -> None:
        self.normalize = Normalization(*task.statistics).to(device)
        self.objective = objective
        self.members = members
        self.device = device
        self.at_once = at_once(IMAGES_AT_ONCE, _PIXELS_AT_ONCE, task)
        self.parts = (task.evaluated_train, task.validation, task.test)

    @torch.inference_mode()
    def __call__(self, network: nn.Module) -> list[list[float]]:
        """Return (training, validation, test) accuracy of every member."""
        columns = []
        for part in self.parts:
            predicted = torch.cat(
                [
                    self._predict(network, read_tensor(part.images[start:][: self.at_once]))
                    for start in range(0, len(part), self.at_once)
                ],
                dim=1,
            )
            columns.append(
                [self.objective.score(part.labels, member) for member in predicted.cpu().numpy()]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    def _predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the predictions of every member for images ``[B, C, H, W]``, ``[M, B]``."""
        seen = self.normalize(images.to(self.device).float())
        return self.objective.predictions(network(seen.expand(self.members, *seen.shape)))
