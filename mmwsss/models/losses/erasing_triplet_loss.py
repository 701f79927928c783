"""Losses of an image, its erased copy and an image without a common class, as pure functions.

Legend: B images, K classes, h x w feature grid, H x W pixels. ``tags`` are multi-hot, (B, K); a
``class map`` holds one signed value per class and position.

Source: Yoon et al., "Adversarial Erasing Framework via Triplet with Gated Pyramid Pooling Layer for
Weakly Supervised Semantic Segmentation", ECCV 2022, section 3.4. Where the paper leaves details
open (normalisation of maps and embeddings, hard triplets), this follows the published code.
"""

import torch
from torch import Tensor

from mmwsss.cams.functional import activation_maps, min_max_normalize
from mmwsss.models.losses.process_sums import sum_over_processes

_EPS = 1e-5


def foreground_map(
    cams: Tensor,
    tags: Tensor,
    size: tuple[int, int],
    *,
    most_classes: int | None = None,
    align_corners: bool = False,
) -> Tensor:
    """Strongest activation of any present class, ``F = max_c y_c norm(up(R(cam_c)))``.

    Args:
        cams: Class maps, (B, K, h, w).
        tags: Present classes y, (B, K).
        size: Height and width (H, W) of the result; maps are enlarged before they are normalised.
        most_classes: Upper bound on the classes of an image; a smaller one means fewer maps to
            enlarge.
        align_corners: Corner convention of the enlargement.

    Returns:
        Map in [0, 1), (B, 1, H, W); 0 for an image without a class.
    """
    most_classes = max(1, cams.size(1) if most_classes is None else most_classes)
    present, classes = tags.topk(most_classes, dim=1)  # (B, M), rows with fewer classes end in 0
    cams = cams.gather(1, classes[:, :, None, None].expand(-1, -1, *cams.shape[2:]))
    enlarged = activation_maps(cams.flatten(0, 1), size, align_corners=align_corners)
    maps = min_max_normalize(enlarged, eps=_EPS).unflatten(0, present.shape)  # (B, M, H, W)
    return (maps * present[:, :, None, None]).amax(dim=1, keepdim=True)


def erasing_mask(foreground: Tensor, *, threshold: float) -> Tensor:
    """Factor of the erased image: ``F`` where it is below the threshold, 0 elsewhere.

    Strong activation is erased and weak activation fades. Background, where F is near 0, disappears
    as well. The gradient flows through F.
    """
    return torch.where(foreground < threshold, foreground, 0.0)


def class_embeddings(class_map: Tensor, tags: Tensor) -> Tensor:
    """Mean positive evidence of the present classes, ``mean_hw R(m_c) y_c``: (B, K)."""
    return class_map.relu().mean(dim=(2, 3)) * tags


def attraction_loss(anchor: Tensor, positive: Tensor) -> Tensor:
    """Mean absolute difference of two embeddings over all images and classes, ().

    Absent classes count as zeros in the mean. The gradient flows to both sides.
    """
    return (positive - anchor).abs().mean()


def choose_negatives(tags: Tensor) -> tuple[Tensor, Tensor]:
    """For every image, choose one that shares no class with it, uniformly at random.

    An image without a class is neither anchor nor negative, because its embedding, masked by its
    tags, is zero. Random numbers come from PyTorch's generator of the device, without waiting for
    the device.

    Args:
        tags: Multi-hot tags y, (B, K); candidates are those j with ``y_i . y_j = 0``.

    Returns:
        The index of the negative of every image, (B,), and whether there is one, bool (B,). Where
        there is none, the index is meaningless.
    """
    tagged = tags.sum(dim=1) > 0
    disjoint = (tags @ tags.T == 0) & tagged & tagged[:, None]  # (B, B)
    # Each of several independent uniform numbers is equally likely to be the largest.
    draws = torch.rand(disjoint.shape, device=tags.device).masked_fill(~disjoint, -1.0)
    return draws.argmax(dim=1), disjoint.any(dim=1)


def negative_distances(
    class_map: Tensor, cams: Tensor, tags: Tensor, negatives: Tensor, *, low_threshold: float
) -> Tensor:
    """Squared distance from an image's low-confidence area to a whole image of other classes.

    With ``f_c = m_c / (max_hw |m_c| + eps)`` and the low area ``L_c = [norm(cam_c) < t_L]``,
    ``e_low = y sum_hw(L f) / (sum_hw L + eps)``, ``e = y sum_hw f / (hw + eps)`` and
    ``d_i = |e_low,i - e_neg(i)|^2`` over the classes; both are masked by their own tags.

    Args:
        class_map: m, (B, K, h, w).
        cams: Class maps whose activation determines the low area, (B, K, h, w); they get no
            gradient.
        tags: Present classes y, (B, K).
        negatives: Index of the negative of every image, (B,).
        low_threshold: t_L.

    Returns:
        Distances, (B,).
    """
    low = (min_max_normalize(cams.detach(), eps=_EPS) < low_threshold).to(class_map)
    scaled = class_map / (class_map.abs().amax(dim=(2, 3), keepdim=True) + _EPS)
    low_sum, low_area = (low * scaled).sum(dim=(2, 3)), low.sum(dim=(2, 3))
    low_embedding = low_sum / (low_area + _EPS) * tags  # (B, K)
    embedding = scaled.sum(dim=(2, 3)) / (scaled[0, 0].numel() + _EPS) * tags
    return (low_embedding - embedding[negatives]).square().sum(dim=1)


def repulsion_loss(distances: Tensor, valid: Tensor, *, margin: float, min_hard: int = 1) -> Tensor:
    """Mean of ``margin - d`` over the hard triplets, those with a distance below the margin.

    In a distributed run the mean covers the hard triplets of *all* processes, gradients included,
    and ``min_hard`` counts all of them.

    Args:
        distances: d, (B,).
        valid: Images that have a negative, bool (B,); the others are left out.
        margin: Distance at which a triplet is satisfied.
        min_hard: With fewer hard triplets the loss is 0. The published code has 5.

    Returns:
        Loss (); 0, with zero gradients, when no triplet is hard.
    """
    hard = ((distances < margin) & valid).to(distances)
    total = (hard * (margin - distances)).sum()
    total, count = sum_over_processes(torch.stack([total, hard.sum()])).unbind()
    return total / count.clamp_min(1) * (count >= min_hard)
