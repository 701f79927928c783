import pytest
import torch


@pytest.fixture
def build_context():
    """Make a context with random weights and, by default, two of four valid centroids per class."""

    def build(kind, in_channels=6, num_classes=3, *, fill=True):
        torch.manual_seed(0)
        context = kind(in_channels, num_classes, centroids=4)
        for parameter in context.parameters():
            parameter.data.normal_(std=0.3)
        valid = torch.zeros(num_classes, 4, dtype=torch.bool)
        valid[:, :2] = fill
        context.set_centroids(torch.randn(num_classes, 4, in_channels), valid)
        return context

    return build
