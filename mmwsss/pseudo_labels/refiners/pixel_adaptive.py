"""Refinement by the colours of neighbouring pixels, on the device of the scores.

Legend: C maps, D dilations, P = 8D neighbours of a pixel, H x W pixels.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Refiner, size_of

Kind = Literal['pamr', 'par']

_EPS = 1e-8
_PAMR_WIDTH, _PAR_WIDTH = 0.1, 0.3
_PAR_POSITION = 0.01  # weight of the distances beside that of the colours
_DIRECTIONS = tuple(step for step in product((-1, 0, 1), repeat=2) if step != (0, 0))


def neighbour_weights(image: Tensor, dilations: Sequence[int], kind: Kind) -> Tensor:
    r"""Weights of the eight neighbours at each dilation, from the colours around a pixel.

    With the colours x of the image, :math:`\sigma_k(p)` the sample standard deviation of channel k
    over the windows of all dilations around p, and the mean over channels k:

    .. math::
        \text{pamr:}\quad w(p, \cdot) = \mathrm{softmax}_q\, \mathrm{mean}_k
            \frac{-|x_k(p) - x_k(q)|}{10^{-8} + 0.1\, \sigma_k(p)}

        \text{par:}\quad w(p, \cdot) = \mathrm{softmax}_q\, \mathrm{mean}_k
            -\left(\frac{x_k(p) - x_k(q)}{0.3\, (\sigma_k(p) + 10^{-8})}\right)^2
            + 0.01\ \mathrm{softmax}_q -\left(\frac{r_q}{0.3\, (s + 10^{-8})}\right)^2

    with the distances r of the neighbours and their standard deviation s. The windows of ``pamr``
    contain the pixel itself, once for each dilation; those of ``par`` do not. The pixel itself has
    no weight. Beyond the border, the image continues with its last pixel.

    Args:
        image: Colours, float32 (3, H, W). Scale and shift of a channel do not matter.
        dilations: Distances of the neighbours in pixels, (D,).
        kind: Which of the two formulas to use.

    Returns:
        Weights (P, H, W), by dilation, then by rows of the window. Those of ``pamr`` sum to 1,
        those of ``par`` to 1.01.

    Source: Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020
    (``pamr``); Ru et al., "Learning Affinity from Attention: End-to-End Weakly-Supervised
    Semantic Segmentation with Transformers", CVPR 2022 (``par``).
    """
    deviation = _deviation(image, dilations, with_centre=kind == 'pamr')
    logits = image.new_empty(len(_DIRECTIONS) * len(dilations), *size_of(image))
    for row, neighbour in zip(logits, _neighbours(image, dilations), strict=True):
        difference = neighbour - image
        if kind == 'pamr':
            difference = difference.abs_().div_(deviation * _PAMR_WIDTH + _EPS)
        else:
            difference = difference.div_((deviation + _EPS) * _PAR_WIDTH).square_()
        torch.mean(difference, dim=0, out=row)
    weights = logits.neg_().softmax(dim=0)
    if kind == 'par':
        weights += _PAR_POSITION * _position_weights(dilations, image.device)[:, None, None]
    return weights


def spread(maps: Tensor, weights: Tensor, dilations: Sequence[int], iterations: int) -> Tensor:
    """Repeatedly replace the values of maps by the weighted sums of their neighbours.

    Beyond the border, the maps continue with their last pixel.

    Args:
        maps: Maps (C, H, W).
        weights: Weights of the neighbours (P, H, W); see :func:`neighbour_weights`.
        dilations: Distances of the neighbours in pixels, (D,).
        iterations: Number of repetitions.

    Returns:
        Maps (C, H, W).
    """
    for _ in range(iterations):
        total = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, _neighbours(maps, dilations), strict=True):
            total.addcmul_(neighbour, weight)
        maps = total
    return maps


def _neighbours(maps: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """Views of maps (C, H, W) shifted to each neighbour in turn, without gathering."""
    height, width = size_of(maps)
    pad = max(dilations)
    padded = F.pad(maps[None], (pad, pad, pad, pad), mode='replicate')[0]
    for dilation, (dy, dx) in product(dilations, _DIRECTIONS):
        top, left = pad + dy * dilation, pad + dx * dilation
        yield padded[:, top : top + height, left : left + width]


def _deviation(image: Tensor, dilations: Sequence[int], *, with_centre: bool) -> Tensor:
    """Sample standard deviation over the windows, from differences to the centre, (3, H, W)."""
    sums, squares = torch.zeros_like(image), torch.zeros_like(image)
    for neighbour in _neighbours(image, dilations):
        difference = neighbour - image
        sums += difference
        squares.addcmul_(difference, difference)
    count = len(dilations) * (len(_DIRECTIONS) + with_centre)  # the centre differs by 0
    return ((squares - sums.square() / count) / (count - 1)).clamp_min_(0).sqrt_()


def _position_weights(dilations: Sequence[int], device: torch.device) -> Tensor:
    """Softmax over the distances of all neighbours, (P,)."""
    distances = [d * float(np.hypot(dy, dx)) for d, (dy, dx) in product(dilations, _DIRECTIONS)]
    distance = torch.tensor(distances, device=device)
    return (-(distance / ((distance.std() + _EPS) * _PAR_WIDTH)).square()).softmax(dim=0)


@TASK_UTILS.register_module()
class PixelAdaptiveRefinement(Refiner):
    """Let scores spread to neighbouring pixels of similar colour, on the device of the scores.

    Each step is a mean over neighbours, :func:`spread`, with the weights of
    :func:`neighbour_weights`. It needs neither ground truth nor a trained network, and accepts any
    scores because it is linear. It is computed in single precision.

    Args:
        kind: ``'pamr'`` or ``'par'``, two ways to weight the neighbours.
        dilations: Distances of the neighbours in pixels of the scaled image.
        iterations: Number of steps.
        scale: Refine at this fraction of the image's size and enlarge the result; 0.5 takes a
            quarter of the time.
        normalize: Whether the weights of ``par`` sum to 1. The published ones sum to 1.01, so that
            scores grow by a tenth in ten steps and later thresholds would have to grow as well.

    Raises:
        ValueError: If an option is out of range.

    Source: see :func:`neighbour_weights`. The published ``pamr`` runs at the size of the network's
    masks, the published ``par`` at half the size of the image.
    """

    def __init__(
        self,
        kind: Kind = 'pamr',
        *,
        dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
        iterations: int = 10,
        scale: float = 1.0,
        normalize: bool = True,
    ) -> None:
        if kind not in ('pamr', 'par'):
            raise ValueError(f"kind must be 'pamr' or 'par', got {kind!r}.")
        if not dilations or min(dilations) < 1:
            raise ValueError(f'dilations must be at least one number >= 1, got {dilations}.')
        if iterations < 1:
            raise ValueError(f'iterations must be at least 1, got {iterations}.')
        if not 0 < scale <= 1:
            raise ValueError(f'scale must be above 0 and at most 1, got {scale}.')
        self.kind = kind
        self.dilations = tuple(dilations)
        self.iterations = iterations
        self.scale = scale
        self.normalize = normalize

    @torch.no_grad()
    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W) on their device; a lone background row stays unchanged."""
        if len(scores) == 1:
            return scores
        # A copy, because the memory of a decoded image may be read-only.
        pixels = torch.from_numpy(image.copy()).to(scores.device, non_blocking=True)
        colours = pixels.permute(2, 0, 1).contiguous().to(torch.float32) / 255
        size = size_of(scores)
        small = tuple(max(round(side * self.scale), 1) for side in size)
        with torch.autocast(scores.device.type, enabled=False):
            weights = neighbour_weights(_resize(colours, small), self.dilations, self.kind)
            if self.kind == 'par' and self.normalize:
                weights /= 1 + _PAR_POSITION
            maps = _resize(scores.to(torch.float32), small)
            refined = _resize(spread(maps, weights, self.dilations, self.iterations), size)
        return refined.to(scores.dtype)


def _resize(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    if size_of(maps) == size:
        return maps
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=True)[0]
