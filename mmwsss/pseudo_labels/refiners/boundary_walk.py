"""Refiner that lets class scores walk up to boundaries found by a network."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.affinity.boundaries import boundary_affinities
from mmwsss.affinity.random_walk import check_steps, random_walk
from mmwsss.affinity.stencil import stencil_offsets
from mmwsss.pseudo_labels.refiners.trained_network import TrainedNetworkRefiner
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError, from_grid, grid_means, size_of

# Side of a position of the coarsest feature map, in cells.
_COARSEST = 4


@TASK_UTILS.register_module()
class BoundaryWalk(TrainedNetworkRefiner):
    r"""Random walk of the class scores, stopped by the boundaries that a trained network finds.

    With e the boundary probabilities of the cells, and S the means of the scores over the pixels of
    each cell (negative scores count as 0):

    .. math:: S' = up((S \odot (1 - e))\,T^{2^s}), \quad \text{refined} = S' / \max S'

    with the walk of :func:`random_walk` over :func:`boundary_affinities`, and one maximum over all
    classes. The background does not walk. Its row stays unchanged, so that
    :class:`ConstantBackground` is a threshold on the result. If no score is left, all are 0.

    The logits of the boundaries are the mean over the image and its mirror image. Both are padded
    as in training, because the head normalises over the whole map.

    Args:
        network: Config of the :class:`BoundaryNetwork`.
        checkpoint: Its checkpoint, a local file; None if a pipeline sets it later.
        radius: Radius of the walk in cells, which may differ from the radius in training.
        beta: Power of the affinities. Larger values let less pass a boundary.
        log_steps: Binary logarithm of the number of steps.
        stride: Pixels per cell on each axis, the output stride of the network.
        min_size: Smallest side to which images are padded, the crop size of the training.

    Raises:
        ValueError: If ``radius``, ``beta``, ``log_steps``, ``stride`` or ``min_size`` is out of
            range.
        UserInputError: If no boundary network of the type of ``network`` is registered. At the
            first image, if the checkpoint is missing, does not match the network or was trained
            with another radius or normalisation, or the network's grid does not have this stride.

    Source:
        Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
        Relations", CVPR 2019, Sec. 4; gate, padding and mirror image are those of the published
        code. Differs: the published code takes maps made at the size of the cells; and here an
        image larger than the crop is padded to the next multiple of the network's stride, not cut.
    """

    network_type = 'BoundaryNetwork'
    network_method = 'boundary_logits'

    def __init__(
        self,
        network: dict,
        checkpoint: str | None,
        *,
        radius: int = 5,
        beta: float = 10.0,
        log_steps: int = 8,
        stride: int = 4,
        min_size: int = 512,
    ) -> None:
        check_steps(beta, log_steps)
        stencil_offsets(radius)  # refuses a radius without neighbours
        if stride < 1 or min_size < 1:
            raise ValueError(
                f'stride and min_size must be at least 1 pixel, got {stride} and {min_size}.'
            )
        super().__init__(network, checkpoint)
        self.radius = radius
        self.beta = beta
        self.log_steps = log_steps
        self.stride = stride
        self.min_size = min_size

    @torch.no_grad()
    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W); a lone background row is returned unchanged."""
        if len(scores) == 1:
            return scores
        edge = self.boundaries(self.loaded_network(scores.device), image)
        classes = scores[1:].to(torch.promote_types(scores.dtype, torch.float32)).clamp_min(0)
        means = grid_means(classes, self.stride)
        walked = random_walk(
            means[None] * (1 - edge),
            boundary_affinities(edge, radius=self.radius),
            radius=self.radius,
            beta=self.beta,
            log_steps=self.log_steps,
        )
        refined = from_grid(walked[0], self.stride, size_of(scores))
        refined /= refined.amax().clamp_min(torch.finfo(refined.dtype).tiny)
        return torch.cat([scores[:1], refined])

    def boundaries(self, network: Any, image: np.ndarray) -> Tensor:
        """Boundary probabilities of the cells of an RGB image (H, W, 3), (1, 1, h, w)."""
        normalized = self.normalized(network, image)
        # After normalisation, so that the padding has the mean colour.
        views = self._pad(torch.cat([normalized, normalized.flip(3)]))
        logits = network.boundary_logits(views).float()
        expected = tuple(side // self.stride for side in size_of(views))
        if size_of(logits) != expected:
            raise UserInputError(
                f'BoundaryWalk: stride={self.stride} makes a grid of {expected} cells from an '
                f'image padded to {size_of(views)}, but the grid of the network is '
                f'{size_of(logits)}. Set stride to the output stride of the network.'
            )
        height, width = (-(-side // self.stride) for side in image.shape[:2])
        straight, mirrored = logits[:, :, :height, :width].split(1)
        return (straight / 2 + mirrored.flip(3) / 2).sigmoid()

    def _pad(self, images: Tensor) -> Tensor:
        multiple = _COARSEST * self.stride
        height, width = (
            -(-max(side, self.min_size) // multiple) * multiple for side in size_of(images)
        )
        return F.pad(images, (0, width - images.shape[3], 0, height - images.shape[2]))
