"""Semantic aggregation with the matrix of the affinities of all positions and centroids."""

import torch


def affinities(positions, keys, *, softmax, scale):
    """Rows of n positions (n, C) against M keys (M, C): (n, M)."""
    products = torch.stack(
        [torch.stack([scale * (row * key).sum() for key in keys]) for row in positions]
    )
    if not softmax:
        return products
    shifted = (products - products.max(dim=1, keepdim=True).values).exp()
    return shifted / shifted.sum(dim=1, keepdim=True)


def aggregated(x, centroids, *, softmax, scale, layers=None):
    """F' for x (B, C, h, w), valid centroids (M, C) and four pairs of weight and bias."""
    identity = torch.eye(x.shape[1]), torch.zeros(x.shape[1])
    query, key, value, output = layers or [identity] * 4
    images = []
    for image in x:
        positions = linear(image.flatten(1).T, *query)
        affinity = affinities(positions, linear(centroids, *key), softmax=softmax, scale=scale)
        rows = linear(affinity @ linear(centroids, *value), *output)  # (n, C)
        images.append(rows.T.reshape(image.shape))
    return torch.stack(images)


def linear(rows, weight, bias):
    return rows @ weight.T + bias
