"""Fixtures for the refiners with a trained network, the two walks."""

import pytest
import torch

# Unequal, to reveal a wrong order of the colours.
MEAN, STD = [100.0, 120.0, 140.0], [50.0, 60.0, 70.0]


@pytest.fixture
def save(tmp_path):
    """Save tensors as a checkpoint; return its path."""

    def make(**state):
        path = tmp_path / f'{"_".join(state)}.pth'
        torch.save({'state_dict': state, 'meta': {}}, path)
        return str(path)

    return make


@pytest.fixture
def walk_over(save):
    """Refiner of a kind over a registered network, with these tensors as its checkpoint."""
    preprocessor = dict(type='WeakSegDataPreProcessor', mean=MEAN, std=STD, bgr_to_rgb=True)

    def make(refiner, network, options, **state):
        return refiner(dict(network, data_preprocessor=preprocessor), save(**state), **options)

    return make


@pytest.fixture
def normalized():
    """What such a network sees for an image, (3, H, W)."""

    def make(image):
        return ((torch.from_numpy(image) - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)

    return make


@pytest.fixture
def random_inputs(rng):
    """Scores and an image."""

    def make(rows=3, size=(14, 19)):
        image = torch.randint(256, (*size, 3), generator=rng, dtype=torch.uint8).numpy()
        return torch.rand(rows, *size, generator=rng), image

    return make
