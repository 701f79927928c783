"""Network that learns where the boundaries between objects are."""

import torch
from torch import Tensor, nn

from mmwsss.affinity.boundaries import boundary_affinities
from mmwsss.models.affinity_network import AffinityNetwork
from mmwsss.registry import MODELS


@MODELS.register_module()
class BoundaryNetwork(AffinityNetwork):
    """Affinity network in which cells without a boundary between them are alike.

    The backbone is completely frozen: it stays in evaluation mode and gets no gradients. Labels and
    loss are those of :class:`AffinityNetwork`; the boundaries themselves have no labels.

    Args:
        backbone: Config of the backbone; it returns a tuple of feature maps.
        head: Config of a module that turns a tuple of feature maps into logits (B, 1, h, w), such
            as :class:`BoundaryHead`.
        loss: Config of the loss; :class:`AffinityLoss` by default.
        radius: Radius of the neighbourhood in training, in cells. Boundaries do not depend on it,
            so a walk may use another radius.
        data_preprocessor: The data preprocessor or its config.
        init_cfg: Weight initialisation.

    Shape:
        images (B, 3, H, W); affinities (B, K, h, w) with the offsets in the order of
        :func:`stencil_offsets`.

    Source:
        Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
        Relations", CVPR 2019, Sec. 3. Differs: no displacement branch, which shares nothing with
        the boundary branch.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        *,
        loss: dict | None = None,
        radius: int = 10,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone,
            head,
            loss=loss,
            radius=radius,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'BoundaryNetwork':
        """Set the mode of everything except the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self

    def boundary_logits(self, images: Tensor) -> Tensor:
        """Find boundaries in normalised images, (B, 3, H, W) -> (B, 1, h, w)."""
        with torch.no_grad():
            feats = self.backbone(images)
        return self.head(feats)

    def affinities(self, images: Tensor) -> Tensor:
        """Compare neighbouring cells of normalised images, (B, 3, H, W) -> (B, K, h, w)."""
        logits = self.boundary_logits(images)
        # In half precision most probabilities would be equal.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return boundary_affinities(logits.sigmoid(), radius=self.radius)
