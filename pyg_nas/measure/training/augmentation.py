"""Random changes to images: shifts, mirroring and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge
from pydantic import FiniteFloat, NonNegativeInt

from pyg_nas.io.record import Rule, check_fields

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Random changes of an image, drawn again each time it is used.

    Args:
        max_shift: Largest shift in pixels, up, down, left and right; pixels that move in are 0.
        flip: Whether half of the images are mirrored left to right.
        noise: Standard deviation of Gaussian noise, in standard deviations of the training images.

    Raises:
        SettingsError: If a value is negative.
    """

    max_shift: Annotated[NonNegativeInt, Rule("at least 0")] = 0
    flip: Annotated[bool, Rule("true or false")] = False
    noise: Annotated[FiniteFloat, Ge(0), Rule("at least 0")] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
        """Change every image at random.

        Args:
            images: float32 ``[N, C, H, W]``.
            deviation: Standard deviation of the training images, ``[C, 1, 1]``.
            generator: Random generator of the changes.

        Returns:
            float32 ``[N, C, H, W]``.
        """
        import torch
        from torch.nn import functional

        total, _, height, width = images.shape
        rows = torch.arange(total)
        if self.max_shift:
            padded = functional.pad(images, (self.max_shift,) * 4)
            windows = padded.unfold(2, height, 1).unfold(3, width, 1)
            corner = torch.randint(2 * self.max_shift + 1, (2, total), generator=generator)
            images = windows[rows, :, corner[0], corner[1]]
        if self.flip:
            mirrored = torch.rand(total, generator=generator) < 0.5
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if self.noise:
            drawn = torch.randn(images.shape, generator=generator)
            images = images + drawn * (self.noise * deviation)
        return images
