"""Refinement by the colours of neighbouring pixels, pixel by pixel, written from the formulas."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def neighbours(y: int, x: int, dilations: list[int], size: tuple[int, int]) -> list:
    """Position of each neighbour, (row, column), clipped to the image, and its distance."""
    places = []
    for d in dilations:
        for dy in (-d, 0, d):
            for dx in (-d, 0, d):
                if (dy, dx) != (0, 0):
                    row = min(max(y + dy, 0), size[0] - 1)
                    column = min(max(x + dx, 0), size[1] - 1)
                    places.append((row, column, math.hypot(dy, dx)))
    return places


def softmax(values: list[float]) -> np.ndarray:
    powers = np.exp(np.array(values) - max(values))
    return powers / powers.sum()


def weights(image: np.ndarray, dilations: list[int], kind: str) -> np.ndarray:
    """Weights of the neighbours of every pixel, image (3, H, W) -> (P, H, W)."""
    _, height, width = image.shape
    out = np.zeros((8 * len(dilations), height, width))
    for y in range(height):
        for x in range(width):
            places = neighbours(y, x, dilations, (height, width))
            colours = np.array([image[:, row, column] for row, column, _ in places])  # (P, 3)
            window = colours
            if kind == 'pamr':
                window = np.concatenate([colours, [image[:, y, x]] * len(dilations)])
            sigma = window.std(axis=0, ddof=1)
            difference = abs(colours - image[:, y, x])
            if kind == 'pamr':
                out[:, y, x] = softmax((-difference / (1e-8 + 0.1 * sigma)).mean(axis=1))
                continue
            alike = softmax((-((difference / (sigma + 1e-8) / 0.3) ** 2)).mean(axis=1))
            distances = np.array([distance for _, _, distance in places])
            scaled = distances / (distances.std(ddof=1) + 1e-8) / 0.3
            out[:, y, x] = alike + 0.01 * softmax(-(scaled**2))
    return out


def refine(maps: np.ndarray, kernel: np.ndarray, dilations: list[int], times: int) -> np.ndarray:
    """Replace maps (C, H, W) by the weighted sums of their neighbours."""
    for _ in range(times):
        new = np.zeros_like(maps)
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                for k, (row, column, _) in enumerate(neighbours(y, x, dilations, maps.shape[1:])):
                    new[:, y, x] += kernel[k, y, x] * maps[:, row, column]
        maps = new
    return maps


def gathered_pamr(
    image: torch.Tensor, maps: torch.Tensor, dilations: list[int], times: int
) -> torch.Tensor:
    """PAMR with all neighbours of all pixels copied out, image (3, H, W), maps (C, H, W)."""

    def neighbours_of(planes: torch.Tensor) -> torch.Tensor:  # (C, 9D, H, W)
        copies = []
        for d in dilations:
            padded = F.pad(planes[None], (d, d, d, d), mode='replicate')
            windows = F.unfold(padded, 3, dilation=d)
            copies.append(windows.unflatten(1, (len(planes), 9)).unflatten(3, planes.shape[1:])[0])
        return torch.cat(copies, dim=1)

    others = [k for k in range(9 * len(dilations)) if k % 9 != 4]  # 4 is the centre
    windows = neighbours_of(image)
    sigma = windows.std(dim=1, keepdim=True)
    logits = -(windows[:, others] - image[:, None]).abs() / (1e-8 + 0.1 * sigma)
    kernel = logits.mean(dim=0).softmax(dim=0)
    for _ in range(times):
        maps = (neighbours_of(maps)[:, others] * kernel).sum(dim=1)
    return maps
