"""Refiner that lets scores walk between cells that a network finds similar."""

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.affinity.random_walk import check_steps, random_walk
from mmwsss.affinity.stencil import stencil_mask
from mmwsss.models.affinity_network import AffinityNetwork
from mmwsss.pseudo_labels.refiners.trained_network import TrainedNetworkRefiner
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError, from_grid, size_of


def to_grid(maps: Tensor, stride: int) -> Tensor:
    """Means of ``stride x stride`` blocks of maps padded with 0 at the right and bottom.

    Args:
        maps: Maps at full resolution, (n, H, W).
        stride: Pixels per cell, on each axis.

    Returns:
        (n, ceil(H / stride), ceil(W / stride)), float64 for float64, otherwise float32.

    Source: Ahn and Kwak, CVPR 2018, published code.
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return F.avg_pool2d(_pad(maps, stride), stride)


def _pad(maps: Tensor, stride: int) -> Tensor:
    height, width = maps.shape[-2:]
    return F.pad(maps, (0, -width % stride, 0, -height % stride))


@TASK_UTILS.register_module()
class RandomWalk(TrainedNetworkRefiner):
    """Random walk of the scores over the affinities of a trained network; see :func:`random_walk`.

    Scores are averaged over the cells of the feature grid, walk there and are enlarged again. The
    network is built and loaded when the first image is refined.

    Args:
        network: Config of the :class:`AffinityNetwork`.
        checkpoint: Its checkpoint, a local file; None if a pipeline sets it later.
        beta: Power of the affinities. Larger values pass less between dissimilar cells.
        log_steps: Binary logarithm of the number of steps.
        stride: Pixels per cell on each axis, the output stride of the network.
        official_border: Whether to walk without pairs close to the border, as the published code
            does; see :func:`stencil_mask`.

    Raises:
        ValueError: If ``beta``, ``log_steps`` or ``stride`` is out of range.
        UserInputError: If no model of the type of ``network`` is registered. At the first image, if
            the checkpoint is missing, does not match the network or was trained with another radius
            or normalisation, or the network's feature grid does not have this stride.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.3; padding and resizing as in
        the published code.
    """

    def __init__(
        self,
        network: dict,
        checkpoint: str | None,
        *,
        beta: float = 8.0,
        log_steps: int = 8,
        stride: int = 8,
        official_border: bool = False,
    ) -> None:
        check_steps(beta, log_steps)
        if stride < 1:
            raise ValueError(f'stride must be at least 1 pixel, got {stride}.')
        super().__init__(network, checkpoint)
        self.beta = beta
        self.log_steps = log_steps
        self.stride = stride
        self.official_border = official_border

    @torch.no_grad()
    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W); a lone background row is returned unchanged."""
        if len(scores) == 1:
            return scores
        network = self.loaded_network(scores.device)
        pooled = to_grid(scores, self.stride)[None]
        affinities = self._affinities(network, image, size_of(pooled))
        walked = random_walk(
            pooled,
            affinities,
            radius=network.radius,
            beta=self.beta,
            log_steps=self.log_steps,
        )
        return from_grid(walked[0], self.stride, size_of(scores))

    def _affinities(
        self, network: AffinityNetwork, image: np.ndarray, grid: tuple[int, int]
    ) -> Tensor:
        # After normalisation, so that the padding has the mean colour.
        padded = _pad(self.normalized(network, image), self.stride)
        affinities = network.affinities(padded)
        if size_of(affinities) != grid:
            raise UserInputError(
                f'RandomWalk: stride={self.stride} makes a grid of {grid} cells from an image '
                f'padded to {size_of(padded)}, but the features of the affinity network '
                f'are {size_of(affinities)}. Set stride to the output stride of the network.'
            )
        if self.official_border:
            affinities = affinities * stencil_mask(
                grid, radius=network.radius, official_border=True, device=affinities.device
            )
        return affinities
