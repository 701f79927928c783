"""Refiner that takes the background from saliency maps."""

from pathlib import Path

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.datasets.image_files import read_grey_image
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError


@TASK_UTILS.register_module()
class SaliencyBackground:
    """Replace the background score by what is not salient, ``1 - saliency / 255``.

    Saliency maps are 8 bit greyscale PNGs ``<folder>/<img_id>.png`` of the size of their image, 255
    where something is certainly salient. Where a map is missing the scores stay as they are, with
    the background they had; such images are counted.

    Args:
        folder: Folder of the maps.

    Raises:
        UserInputError: When an image is refined and the folder is missing, or the map is damaged,
            no greyscale image or of another size.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
    Segmentation", CVPR 2022, Sec. 4.1; the formula is that of its published code, which stops at a
    missing map.
    """

    in_worker = False  # it needs the name of the image
    requires = ()

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

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W)."""
        path = Path(self.folder) / f'{sample.img_id}.png'
        if not path.is_file():
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

    def _check_folder(self) -> None:
        if not Path(self.folder).is_dir():
            raise UserInputError(
                f'SaliencyBackground: folder={self.folder!r} is no folder. Name that of the '
                'saliency maps, or leave SaliencyBackground out.'
            )
