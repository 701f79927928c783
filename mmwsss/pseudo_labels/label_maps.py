"""Output of a generator of pseudo labels: jobs along the way, and label maps at the end."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmwsss.structures import Refiner


@dataclass(frozen=True)
class RefineJob:
    """A CPU-bound refinement that may run in another process; call it to run it.

    It carries the scores of all labels that begin with the same refinement of the same image. What
    depends only on the image, such as the lattice of a CRF, is then made once.

    Attributes:
        refiner: Refiner with ``in_worker = True``.
        stacks: Scores of each label, background first, float32 (1+n, H, W).
        image: Original image, RGB uint8 (H, W, 3).
    """

    refiner: Refiner
    stacks: tuple[np.ndarray, ...]
    image: np.ndarray

    def __call__(self) -> tuple[np.ndarray, ...]:
        """Return the refined scores of each label, float32 (1+n, H, W)."""
        return tuple(
            self.refiner.refine(torch.from_numpy(scores), self.image, None).numpy()
            for scores in self.stacks
        )


@dataclass(frozen=True)
class LabelMaps:
    """Result of a generator for one image.

    Attributes:
        labels: Label map of each name, uint8 (H, W).
        scores: Scores (1+n, H, W) behind each label map, background first.
        classes: Class index of each row of the scores after the first, (n,).
    """

    labels: dict[str, np.ndarray]
    scores: dict[str, Tensor]
    classes: Tensor


Steps = Generator[RefineJob, tuple[np.ndarray, ...], LabelMaps]
