"""One training step of every method in half precision."""

import pytest
import torch
from tiny_models import METHODS, batch, build
from torch.testing import assert_close


def losses_of(method):
    """Losses of a step with the same weights and random numbers each time, and the model."""
    model = build(method)
    torch.manual_seed(1)
    return model, {k: v for k, v in model.loss(*batch()).items() if 'loss' in k}


@pytest.mark.parametrize('method', METHODS)
def test_losses_in_half_precision_are_computed_in_single_and_nearly_the_same(method):
    _, expected = losses_of(method)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model, losses = losses_of(method)
    sum(losses.values()).backward()
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert_close(loss, expected[name], rtol=0.02, atol=1e-3)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)
