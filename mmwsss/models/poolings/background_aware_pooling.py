"""Pooling of boxes that leaves out what looks like the background of the image."""

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmwsss.models.poolings.region_weights import (
    background_attention_at_points,
    box_bin_weights,
    box_grid,
    grid_cell_weights,
)
from mmwsss.registry import MODELS
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, Pooled, Pooling, size_of, to_seg_label

# Label of the boxes that pad a batch; real labels are 0..K-1.
_NO_BOX = -1


def background_aware_weights(
    feats: Tensor,
    boxes: Tensor,
    background_mask: Tensor,
    *,
    grid_size: int = 4,
    bins: int = 2,
    min_background: float = 0.125,
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights over the feature map that pool the foreground of boxes and the background.

    A box bin is the mean of its sampled features F weighted by ``1 - A(p)``, ``A(p) = 1/|J| sum_j
    max(0, cos(F(p), q_j))``, where the queries q_j are the means of the background in the cells of
    a G x G grid. The mean is unweighted if the background covers no more than ``min_background`` of
    the image or no cell has any.

    Args:
        feats: Features (B, C, h, w).
        boxes: Boxes xyxy in pixels of the image, padded to (B, M, 4).
        background_mask: 1 outside every box, 0 inside boxes and on padding, (B, H, W).
        grid_size: Cells per side, G; J = G*G.
        bins: Bins of a box per side, O.
        min_background: Share of the image that the background must exceed. With 1 the pooling is
            plain averaging everywhere.

    Returns:
        Weights of the box bins (B, M, O*O, h*w), bins row by row; weights of the background cells
        (B, J, h*w), cells row by row; number of background positions in each cell (B, J).

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
        Segmentation", CVPR 2021, eq. 1-4. Differs from the published results only where these are
        undefined: empty boxes have one point, and weights are at least 1e-6.
    """
    image_size, feat_size = size_of(background_mask), size_of(feats)
    dtype = torch.promote_types(feats.dtype, torch.float32)
    with torch.autocast(feats.device.type, enabled=False):
        mask = background_mask.to(dtype).unsqueeze(1)
        cell_weights, counts = grid_cell_weights(
            F.interpolate(mask, feat_size).squeeze(1), grid_size=grid_size
        )
        grid = box_grid(boxes.to(dtype), image_size=image_size, feat_size=feat_size, bins=bins)
        point_weights = grid.rows.new_ones(*grid.rows.shape[:3], grid.cols.shape[2])
        if min_background < 1 and boxes.shape[1] > 0:
            attention = background_attention_at_points(feats, cell_weights, counts > 0, grid)
            attended = mask.mean(dim=(1, 2, 3)) > min_background
            point_weights = torch.where(attended[:, None, None, None], 1 - attention, point_weights)
        return box_bin_weights(point_weights, grid), cell_weights, counts


def class_region_weights(box_weights: Tensor, labels: Tensor, *, num_classes: int) -> Tensor:
    """Weights over the feature map for the region of each class, from those of its boxes.

    ``w_c(p) = mean a_b(p)`` over the bins b of all boxes of the class in the image, scaled to sum
    to 1, as the weights of a box that reaches beyond the map do not.

    Args:
        box_weights: Weights a of the box bins, (B, M, O*O, h*w).
        labels: Class of every box, int64 (B, M); padding has a value outside 0..K-1.
        num_classes: K.

    Returns:
        Weights (B, K, h*w), constants for the gradient; 0 for classes without a box.
    """
    classes = torch.arange(num_classes, device=labels.device)
    members = (classes.unsqueeze(1) == labels.unsqueeze(1)).to(box_weights)  # (B, K, M)
    with torch.autocast(box_weights.device.type, enabled=False):
        weights = members @ box_weights.detach().mean(dim=2)
    total = weights.sum(dim=2, keepdim=True)
    return weights / total.where(total > 0, 1.0)


@MODELS.register_module()
class BackgroundAwarePooling(Pooling):
    """Scores of the foreground in boxes and of the background in grid cells.

    The first rows are the bins of all boxes: image by image, box by box in annotation order, bins
    row by row. Images are padded to the same number of boxes. The background cells follow, image by
    image and row by row. Padding rows, cells without background and boxes outside the image have
    the target 255, so the host never has to know their number.

    Args:
        grid_size: Background cells per side, G.
        bins: Bins of a box per side, O.
        min_background: Share of the image that the background must exceed for the attention to be
            used. With 1.0 it is never used, which is the GAP baseline of the paper's ablation.

    Raises:
        ValueError: If an option is out of range, or a data sample lacks boxes or a background mask.

    Shape:
        feats (B, C, h, w); score_map (B, 1+K, h, w); logits (R, 1+K) and targets (R,) with
        R = B*M*O*O + B*G*G, M the largest number of boxes in an image. The part ``region_weights``
        (B, K, h, w) comes from :func:`class_region_weights`.

    Source: Oh et al., CVPR 2021, eq. 1-5, see :func:`background_aware_weights`.
    """

    with_background = True
    provides: tuple[str, ...] = ('region_weights',)

    def __init__(self, *, grid_size: int = 4, bins: int = 2, min_background: float = 0.125) -> None:
        super().__init__()
        if grid_size < 1 or bins < 1:
            raise ValueError(f'grid_size and bins must be >= 1, got {grid_size} and {bins}.')
        if not 0 <= min_background <= 1:
            raise ValueError(f'min_background must be a share in [0, 1], got {min_background}.')
        self.grid_size = grid_size
        self.bins = bins
        self.min_background = min_background

    def forward(
        self, feats: Tensor, score_map: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Pooled:
        """Pool box bins and background cells, or the whole image without data samples."""
        if data_samples is None:
            return Pooled(score_map.mean(dim=(2, 3)))
        boxes, labels, masks = _box_supervision(data_samples)
        box_weights, cell_weights, counts = background_aware_weights(
            feats,
            boxes,
            masks,
            grid_size=self.grid_size,
            bins=self.bins,
            min_background=self.min_background,
        )
        with torch.autocast(feats.device.type, enabled=False):
            scores = score_map.flatten(2).to(cell_weights.dtype).mT  # (B, hw, 1+K)
            box_logits = box_weights.flatten(1, 2) @ scores  # (B, MOO, 1+K)
            cell_logits = cell_weights @ scores  # (B, J, 1+K)
        used = (labels != _NO_BOX) & _inside(boxes, *masks.shape[1:])
        regions = class_region_weights(
            box_weights, labels.masked_fill(~used, _NO_BOX), num_classes=score_map.shape[1] - 1
        )
        box_targets = to_seg_label(labels).masked_fill(~used, IGNORE_INDEX)
        cell_targets = torch.full_like(counts, BACKGROUND, dtype=torch.long)
        cell_targets = cell_targets.masked_fill(counts == 0, IGNORE_INDEX)
        return Pooled(
            torch.cat([box_logits.flatten(0, 1), cell_logits.flatten(0, 1)]),
            torch.cat(
                [box_targets.flatten().repeat_interleave(self.bins**2), cell_targets.flatten()]
            ),
            dict(region_weights=regions.unflatten(2, feats.shape[2:])),
        )

    def image_scores(self, score_map: Tensor) -> Tensor:
        """Largest probability of each foreground class over the positions, (B, K)."""
        return score_map.softmax(dim=1)[:, 1:].amax(dim=(2, 3))


def _inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Tell which boxes (..., 4) overlap the image, (...)."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    return (x1 < width) & (y1 < height) & (x2 > 0) & (y2 > 0)


def _box_supervision(data_samples: list[SegDataSample]) -> tuple[Tensor, Tensor, Tensor]:
    """Stack boxes (B, M, 4), labels (B, M) with -1 as padding, and background masks (B, H, W)."""
    if not all('gt_instances' in s and 'background_mask' in s for s in data_samples):
        raise ValueError(
            'BackgroundAwarePooling expected every data sample to have `gt_instances` and '
            '`background_mask`. Train on a data set with boxes, and pack both in the pipeline.'
        )
    masks = [sample.background_mask.data.squeeze(0) for sample in data_samples]
    if len({mask.shape for mask in masks}) > 1:
        raise ValueError(
            'Expected all background masks to have the size of the network input, got '
            f'{sorted({tuple(mask.shape) for mask in masks})}. Crop or pad the images to one size.'
        )
    instances = [sample.gt_instances for sample in data_samples]
    boxes = pad_sequence([i.bboxes.reshape(-1, 4) for i in instances], batch_first=True)
    labels = pad_sequence([i.labels for i in instances], batch_first=True, padding_value=_NO_BOX)
    return boxes, labels, torch.stack(masks)
