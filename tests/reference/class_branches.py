"""Class branches as separate networks, one after the other."""

import torch
from torch import nn


def separate_branches(channels, num_classes):
    """One module per class: three 3x3 convolutions with ReLU, then 1x1 to a score."""
    branches = nn.ModuleList()
    for _ in range(num_classes):
        layers = []
        for _ in range(3):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
        branches.append(nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)))
    return branches


def scores(branches, x):
    return torch.cat([branch(x) for branch in branches], dim=1)


def parameters(branches, name):
    """`weight` or `bias` of every layer: lists of K tensors, from the input to the score."""
    convs = [[m for m in branch if isinstance(m, nn.Conv2d)] for branch in branches]
    return [[getattr(conv, name) for conv in layer] for layer in zip(*convs, strict=True)]
