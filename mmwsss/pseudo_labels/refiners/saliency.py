"""Refiner that takes the background from saliency maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.datasets.image_files import read_grey_image
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Refiner, UserInputError


@TASK_UTILS.register_module()
class SaliencyBackground(Refiner):
    """Replace the background score by what is not salient, ``1 - saliency / 255``.

    Saliency maps are 8 bit greyscale PNGs ``<folder>/<img_id>.png`` of the size of their image, 255
    where something is certainly salient. Where a map is missing the scores stay as they are, with
    the background they had; such images are counted. A folder without any map of the images to
    label is refused.

    Args:
        folder: Folder of the maps.

    Raises:
        UserInputError: When the images are listed and the folder is missing or has a map of none
            of them; when an image is refined and its map is damaged, no greyscale image or of
            another size.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
    Segmentation", CVPR 2022, Sec. 4.1; the formula is that of its published code, which stops at a
    missing map.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._missing = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Folder whose content decides the result."""
        return (self.folder,)

    @property
    def counts(self) -> dict[str, int]:
        """Count images without a saliency map."""
        return {'without_saliency': self._missing}

    def check_images(self, img_ids: Sequence[str]) -> None:
        """Refuse a folder that has no map of any image: its name, or theirs, is wrong."""
        self._check_folder()
        if img_ids and not any(self._path(img_id).exists() for img_id in img_ids):
            raise UserInputError(
                f'SaliencyBackground: folder={self.folder!r} has a map of none of the '
                f'{len(img_ids)} images; expected files such as {img_ids[0]}.png. Name the folder '
                'of their saliency maps, or leave SaliencyBackground out.'
            )

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W)."""
        path = self._path(sample.img_id)  # type: ignore[union-attr]  # None in workers alone
        if not path.exists():
            self._check_folder()
            self._missing += 1
            return scores
        saliency = read_grey_image(path)
        if saliency.shape != tuple(scores.shape[1:]):
            raise UserInputError(
                f'{path}: the saliency map is {saliency.shape[0]}x{saliency.shape[1]}, its image '
                f'{scores.shape[1]}x{scores.shape[2]} (height x width). Resize it to the image.'
            )
        background = 1 - torch.tensor(saliency, dtype=scores.dtype, device=scores.device) / 255
        return torch.cat([background[None], scores[1:]])

    def _path(self, img_id: str) -> Path:
        return Path(self.folder) / f'{img_id}.png'

    def _check_folder(self) -> None:
        if not Path(self.folder).is_dir():
            raise UserInputError(
                f'SaliencyBackground: folder={self.folder!r} is not a folder. Name that of the '
                'saliency maps, or leave SaliencyBackground out.'
            )
