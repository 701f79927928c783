"""What a CAM head hands to objectives and to the generator of pseudo labels.

Legend: B images, C channels, K foreground classes, R scored regions, h x w feature grid.
"""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Pooled:
    """What a pooling scored.

    Attributes:
        logits: Class logits of every region, (R, K), or (R, 1+K) when background is a class.
        targets: Multi-hot (R, K) or, for exclusive classes, label-map values (R,) with
            ``IGNORE_INDEX`` in rows that only pad the batch.
        parts: Named by-products that objectives may require (see ``provides`` of the pooling).
    """

    logits: Tensor
    targets: Tensor | None = None
    parts: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class CAMOutputs:
    """Outputs of a CAM head.

    Attributes:
        feats: Features that the classifier saw, (B, C, h, w).
        score_map: Class scores of every position, (B, K, h, w) or (B, 1+K, h, w); its foreground
            channels *are* the class activation maps before ReLU.
        logits: Class logits of the pooled regions, (R, K) or (R, 1+K).
        targets: Targets of the regions; None when no weak label was given.
        parts: Named by-products, e.g. ``threshold_map`` or ``gated_map``.
        images: The normalised network input (B, 3, H, W), if a classifier made the outputs.
    """

    feats: Tensor
    score_map: Tensor
    logits: Tensor
    targets: Tensor | None = None
    parts: dict[str, Tensor] = field(default_factory=dict)
    images: Tensor | None = None
