"""How :class:`RegionContrast` compares the regions of a batch with its memory."""

from typing import Literal

import torch
from torch import Tensor, nn

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.models.losses.region_contrast_loss import (
    choose_partners,
    draw_shares,
    image_shares,
    mixup_contrast,
)
from mmwsss.models.regions.embeddings import Regions
from mmwsss.registry import MODELS


@MODELS.register_module()
class MixupContrast(nn.Module):
    """Contrast the regions of a batch, each mixed with another one, with a memory.

    Args:
        temperature: T of :func:`~mmwsss.models.losses.mixup_contrast`.
        beta: Parameter of the Beta distribution of the mixture, see :func:`draw_shares`.
        partner: Rule of :func:`choose_partners`.
        floor: As in :func:`mixup_contrast`; 1e-4 in the published code.

    Raises:
        ValueError: An option is out of range.

    Source: Zhou et al., CVPR 2022, section 3.2. Differs from the published code: the loss is the
        mean over images of their mean over regions; images and regions without anything to compare
        with are left out, whereas that code gave NaN.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        beta: float = 8.0,
        partner: Literal['other', 'any'] = 'other',
        floor: float | None = None,
    ) -> None:
        super().__init__()
        if partner not in ('other', 'any'):
            raise ValueError(f"Expected `partner` to be 'other' or 'any', got {partner!r}.")
        above_zero = dict(temperature=temperature, beta=beta, floor=1 if floor is None else floor)
        for name, value in above_zero.items():
            if value <= 0:
                raise ValueError(f'Expected `{name}` to be above 0, got {value}.')
        self.temperature = temperature
        self.beta = beta
        self.partner = partner
        self.floor = floor

    def draw_partners(self, regions: Regions) -> tuple[Tensor, Tensor]:
        """Draw a partner for every region, int64 (R,), and the region's own share, (R,)."""
        partners, found = choose_partners(
            regions.images, regions.classes, regions.valid, rule=self.partner
        )
        return partners, draw_shares(found, beta=self.beta)

    def forward(self, regions: Regions, slots: Tensor, filled: Tensor) -> Tensor:
        """Compare with the slots (K, M, C) that are filled, bool (K, M), of the memory.

        The loss () is the mean over the images of all processes of the mean over their regions.
        """
        partners, lam = self.draw_partners(regions)
        loss, counted = mixup_contrast(
            regions.embeddings,
            regions.classes,
            regions.valid,
            partners,
            lam,
            slots,
            filled,
            temperature=self.temperature,
            floor=self.floor,
        )
        share = counted * image_shares(regions.images, counted)
        # Loss and number of images.
        total, count = sum_over_processes(torch.stack([(share * loss).sum(), share.sum()])).unbind()
        return total / count.clamp_min(1)
