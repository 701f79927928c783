"""Fully connected conditional random field, on the CPU."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Refiner


class PairwiseTerms(NamedTuple):
    """Weights and standard deviations of the two Potts terms (xy in pixels, rgb in 0..255)."""

    bilateral_weight: float = 4
    bilateral_xy: float = 55
    bilateral_rgb: float = 3
    gaussian_weight: float = 3
    gaussian_xy: float = 3


def soft_energies(scores: np.ndarray, *, clip: float = 1e-5) -> np.ndarray:
    """Energies of scores read as probabilities, ``-log(clip(score, clip, 1))``, any shape."""
    return -np.log(np.clip(scores, clip, 1))


def hard_energies(labels: np.ndarray, num_labels: int, *, gt_prob: float) -> np.ndarray:
    """Energies of labels trusted with probability ``gt_prob``.

    ``-log gt_prob`` for the given label, ``-log((1 - gt_prob) / (L - 1))`` for the others.

    Args:
        labels: Label of each pixel 0..L-1, (H, W).
        num_labels: L, at least 2.
        gt_prob: Probability of the given label, in (0, 1).

    Returns:
        Energies, float32 (L, H, W).
    """
    given = np.arange(num_labels)[:, None, None] == labels
    other = -np.log((1 - gt_prob) / (num_labels - 1))
    return np.where(given, -np.log(gt_prob), other).astype(np.float32)


def dense_crf(
    energies: np.ndarray, image: np.ndarray, terms: PairwiseTerms, *, iterations: int = 10
) -> np.ndarray:
    """Mean-field marginals of a fully connected CRF.

    Potts terms ``w_b exp(-|dxy|^2 / 2 s_b^2 - |drgb|^2 / 2 s_rgb^2) + w_g exp(-|dxy|^2 / 2 s_g^2)``
    between all pairs of pixels, each kernel normalised symmetrically.

    Args:
        energies: Unary energies, (L, H, W).
        image: RGB or grey, uint8 (H, W, 3), (H, W, 1) or (H, W).
        terms: Weights and widths.
        iterations: Mean-field iterations.

    Returns:
        Marginals, float32 (L, H, W), which sum to 1 over L; 1 for a single label.

    Raises:
        ValueError: If energies are not finite, or energies and image do not match.
        ImportError: If pydensecrf is missing.

    Source: Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
    Potentials", NeurIPS 2011.
    """
    image = _rgb(image)
    num_labels, height, width = energies.shape
    if image.shape[:2] != (height, width):
        raise ValueError(
            f'The image of a CRF must have the size of the scores {(height, width)}, '
            f'got {image.shape[:2]}.'
        )
    if not np.isfinite(energies).all():
        raise ValueError(
            'The scores given to the CRF must be finite, got NaN or infinity, which would silently '
            'become background. Check the class activation maps of this image.'
        )
    if num_labels == 1:
        return np.ones_like(energies, dtype=np.float32)
    crf = _crf_of_image(image.tobytes(), height, width, num_labels, terms)
    unary = energies.reshape(num_labels, -1).astype(np.float32, order='C', copy=False)
    crf.setUnaryEnergy(unary)
    return np.array(crf.inference(iterations), dtype=np.float32).reshape(energies.shape)


# Building the lattice of an image takes a fifth of the time of ten iterations, and works for any
# unary. One entry is enough, because the labels of an image are made one after the other.
@lru_cache(maxsize=1)
def _crf_of_image(
    pixels: bytes, height: int, width: int, num_labels: int, terms: PairwiseTerms
) -> Any:
    # A copy, because pydensecrf refuses the read-only memory of bytes.
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(height, width, 3).copy()
    crf = _crf_class()(width, height, num_labels)
    crf.addPairwiseGaussian(sxy=terms.gaussian_xy, compat=terms.gaussian_weight)
    crf.addPairwiseBilateral(
        sxy=terms.bilateral_xy,
        srgb=terms.bilateral_rgb,
        rgbim=image,
        compat=terms.bilateral_weight,
    )
    return crf


def _crf_class() -> type:
    try:
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError as error:
        raise ImportError(
            'DenseCRF needs pydensecrf. Install it with: pip install pydensecrf2'
        ) from error
    return DenseCRF2D


def _rgb(image: np.ndarray) -> np.ndarray:
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8:
        raise ValueError(
            'The image of a CRF must be uint8 with shape (H, W, 3), (H, W, 1) or (H, W), '
            f'got {image.dtype} with shape {image.shape}.'
        )
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


@TASK_UTILS.register_module()
class DenseCRF(Refiner):
    """Fully connected CRF on the original image; see :func:`dense_crf`.

    Scores need not sum to 1. Consecutive labels of an image with the same parameters share one
    lattice.

    Args:
        bilateral_weight: Weight of the colour and position term.
        bilateral_xy: Its width in pixels.
        bilateral_rgb: Its width in colour values 0..255.
        gaussian_weight: Weight of the position term.
        gaussian_xy: Its width in pixels.
        iterations: Number of mean-field iterations.
        gt_prob: If given, the best label of each pixel is trusted with this probability and all
            others share the rest (:func:`hard_energies`). Otherwise scores are read as
            probabilities (:func:`soft_energies`).

    Raises:
        ImportError: If pydensecrf is missing.
        ValueError: If a width, ``iterations`` or ``gt_prob`` is out of range.
    """

    in_worker = True

    def __init__(
        self,
        *,
        bilateral_weight: float = 4,
        bilateral_xy: float = 55,
        bilateral_rgb: float = 3,
        gaussian_weight: float = 3,
        gaussian_xy: float = 3,
        iterations: int = 10,
        gt_prob: float | None = None,
    ) -> None:
        if min(bilateral_xy, bilateral_rgb, gaussian_xy) <= 0:
            raise ValueError(
                'bilateral_xy, bilateral_rgb and gaussian_xy are widths and must be > 0, got '
                f'{bilateral_xy}, {bilateral_rgb} and {gaussian_xy}.'
            )
        if iterations < 1:
            raise ValueError(f'iterations must be at least 1, got {iterations}.')
        if gt_prob is not None and not 0 < gt_prob < 1:
            raise ValueError(f'gt_prob must lie between 0 and 1 (both excluded), got {gt_prob}.')
        _crf_class()  # report a missing package now, not at the first image
        self.terms = PairwiseTerms(
            bilateral_weight, bilateral_xy, bilateral_rgb, gaussian_weight, gaussian_xy
        )
        self.iterations = iterations
        self.gt_prob = gt_prob

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W); copies them to the CPU and back."""
        energies = self._energies(scores.float().cpu().numpy())
        marginals = dense_crf(energies, image, self.terms, iterations=self.iterations)
        return torch.from_numpy(marginals).to(scores.device)

    def _energies(self, scores: np.ndarray) -> np.ndarray:
        # NaN has no best label. It is passed on as an energy, which the CRF refuses with a message.
        if self.gt_prob is None or len(scores) == 1 or np.isnan(scores).any():
            return soft_energies(scores)
        return hard_energies(scores.argmax(axis=0), len(scores), gt_prob=self.gt_prob)
