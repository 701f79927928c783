"""Network that learns which neighbouring cells of an image belong together."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.affinity.functional import stencil_affinities
from mmwsss.affinity.stencil import stencil_offsets
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


@MODELS.register_module()
class AffinityNetwork(BaseModel):
    """Backbone and head whose features are compared between neighbouring cells.

    Args:
        backbone: Config of the backbone; it returns a tuple of feature maps.
        head: Config of a module that turns a tuple of feature maps into features (B, C, h, w), such
            as :class:`AffinityHead`.
        loss: Config of the loss; :class:`AffinityLoss` by default.
        radius: Radius of the neighbourhood, in cells of the feature grid.
        data_preprocessor: The data preprocessor or its config.
        init_cfg: Weight initialisation.

    Attributes:
        trained_with: Radius and input normalisation, on which the weights depend. The normalisation
            is missing if the preprocessor is given as a module.

    Shape:
        images (B, 3, H, W); affinities (B, K, h, w) with the offsets in the order of
        :func:`stencil_offsets`.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.2.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        *,
        loss: dict | None = None,
        radius: int = 5,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.affinity_loss = MODELS.build(loss or dict(type='AffinityLoss'))
        self.radius = radius
        self.trained_with = {'radius': radius, **_normalization(data_preprocessor)}
        stencil_offsets(radius)  # refuses a radius without neighbours

    def affinities(self, images: Tensor) -> Tensor:
        """Compare neighbouring cells of normalised images, (B, 3, H, W) -> (B, K, h, w)."""
        return stencil_affinities(self.head(self.backbone(images)), radius=self.radius)

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | Tensor:
        """Return the losses in mode 'loss', otherwise the affinities."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)  # type: ignore[arg-type]  # there are some
        return self.affinities(inputs)

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Compare the affinities with ``affinity_label`` of the samples, uint8 (1, h, w).

        Raises:
            UserInputError: If the size of a label differs from that of the feature grid.
        """
        affinities = self.affinities(inputs)
        labels = [sample.affinity_label.data.squeeze(0) for sample in data_samples]
        grid = affinities.shape[2:]
        for label in labels:
            if label.shape != grid:
                raise UserInputError(
                    f'Expected affinity labels of the size of the feature grid {tuple(grid)}, got '
                    f'{tuple(label.shape)} for images of size {tuple(inputs.shape[2:])}. Set the '
                    "stride of the `AffinityLabels` transform to the backbone's output stride."
                )
        return self.affinity_loss(affinities, torch.stack(labels), radius=self.radius)


def _normalization(preprocessor: Mapping[str, Any] | nn.Module | None) -> dict[str, Any]:
    """Describe the input normalisation by config keys, with equal settings in the same form."""
    if isinstance(preprocessor, nn.Module):
        return {}  # it has no config to compare
    preprocessor = preprocessor or {}
    mean, std = (preprocessor.get(name) for name in ('mean', 'std'))
    reverses = preprocessor.get('bgr_to_rgb') or preprocessor.get('rgb_to_bgr')
    return {
        'data_preprocessor.mean': None if mean is None else [float(value) for value in mean],
        'data_preprocessor.std': None if std is None else [float(value) for value in std],
        'data_preprocessor.bgr_to_rgb': bool(reverses),
    }
