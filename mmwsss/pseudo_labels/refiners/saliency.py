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
    """Replace the background score by the absence of saliency, ``1 - saliency / 255``.

    Saliency maps are 8-bit greyscale PNGs ``<folder>/<img_id>.png`` of the size of their image,
    with 255 where something is certainly salient. If a map is missing, the scores keep the
    background they had; such images are counted. A folder without a map of any image to be labelled
    is refused.

    Args:
        folder: Folder of the maps.

    Raises:
        UserInputError: Before labelling, if the folder is missing or has no map of any image. When
            an image is refined, if its map is damaged, not greyscale or of another size.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
    Segmentation", CVPR 2022, Sec. 4.1; the formula is that of its published code, which stops at a
    missing map.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._missing = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Folder whose content affects the result."""
        return (self.folder,)

    @property
    def counts(self) -> dict[str, int]:
        """Count images without a saliency map."""
        return {'without_saliency': self._missing}

    def check_images(self, img_ids: Sequence[str]) -> None:
        """Refuse a folder that has no map of any image: its name or theirs must be wrong."""
        self._check_folder()
        if img_ids and not any(self._path(img_id).exists() for img_id in img_ids):
            raise UserInputError(
                f'SaliencyBackground: folder={self.folder!r} has no map of any of the '
                f'{len(img_ids)} images; expected files such as {img_ids[0]}.png. Name the folder '
                'of their saliency maps, or leave out SaliencyBackground.'
            )

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W)."""
        path = self._path(sample.img_id)  # type: ignore[union-attr]  # None only in workers
        if not path.exists():
            self._check_folder()
            self._missing += 1
            return scores
        saliency = read_grey_image(path)
        if saliency.shape != tuple(scores.shape[1:]):
            raise UserInputError(
                f'{path}: the saliency map is {saliency.shape[0]}x{saliency.shape[1]}, but its '
                f'image is {scores.shape[1]}x{scores.shape[2]} (height x width). Resize the map to '
                'the image.'
            )
        background = 1 - torch.tensor(saliency, dtype=scores.dtype, device=scores.device) / 255
        return torch.cat([background[None], scores[1:]])

    def _path(self, img_id: str) -> Path:
        return Path(self.folder) / f'{img_id}.png'

    def _check_folder(self) -> None:
        if not Path(self.folder).is_dir():
            raise UserInputError(
                f'SaliencyBackground: folder={self.folder!r} is not a folder. Name the folder of '
                'the saliency maps, or leave out SaliencyBackground.'
            )
