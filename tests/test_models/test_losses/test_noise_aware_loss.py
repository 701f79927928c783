import pytest
import torch
import torch.nn.functional as F
from reference import noise_aware as reference
from torch.testing import assert_close

from mmwsss.models.heads.cosine_classifier import cosine_logits
from mmwsss.models.losses import NoiseAwareLoss, noise_aware_loss
from mmwsss.models.losses.noise_aware_loss import _noise_aware_sums, label_confidence
from mmwsss.registry import MODELS


def random_case(rng, size=(2, 5, 4, 3)):
    batch, classes, height, width = size
    cosines = torch.rand(size, generator=rng) * 2 - 1
    label = torch.randint(classes, (batch, height, width), generator=rng)
    aux_label = torch.where(
        torch.rand(label.shape, generator=rng) < 0.5,
        label,
        torch.randint(classes, label.shape, generator=rng),
    )
    return cosines, label, aux_label


def test_confidence_is_the_damped_ratio_of_shifted_cosines():
    cosines = torch.tensor([0.0, 0.6, -1.0]).view(1, 3, 1, 1)
    label = torch.zeros(1, 1, 1, dtype=torch.long)
    assert_close(label_confidence(cosines, label, gamma=2).item(), (1.0 / 1.6) ** 2)
    assert label_confidence(cosines, label + 1, gamma=2).item() == 1.0
    assert label_confidence(cosines, label + 2, gamma=2).item() == 0.0


def test_one_reliable_and_one_unreliable_pixel_by_hand():
    cosines = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).view(1, 2, 1, 2)
    label = torch.tensor([[[0, 1]]])
    loss_ce, loss_wce = noise_aware_loss(cosines, label, torch.tensor([[[0, 0]]]))
    assert_close(loss_ce, torch.tensor(2.0).log())  # two equal logits
    assert_close(loss_wce, torch.tensor(2.0).log())  # a weighted mean of one pixel


def test_equals_the_loop_over_pixels(rng):
    cosines, label, aux_label = random_case(rng)
    label[0, 0] = 255
    aux_label[0, 1, 1] = 255
    expected = reference.noise_aware_loss(
        cosines.tolist(), label.tolist(), aux_label.tolist(), temperature=20, gamma=7
    )
    losses = noise_aware_loss(cosines, label, aux_label, temperature=20, gamma=7)
    assert_close(torch.stack(losses), torch.tensor(expected))


@pytest.mark.parametrize('case', [0, 1])
def test_meets_the_published_losses_and_gradients(oracle, case):
    data = oracle('bana_nal')
    get = lambda key: torch.from_numpy(data[f'c{case}_{key}'])  # noqa: E731
    phi, weight = get('phi').requires_grad_(), get('weight')[..., None, None].requires_grad_()
    label, aux_label = get('y_crf'), get('y_ret')
    cosines = cosine_logits(phi, weight, temperature=1.0)
    assert_close(cosines, get('cos_lowres'), atol=1e-6, rtol=0)

    cosines = F.interpolate(cosines, label.shape[1:], mode='bilinear', align_corners=True)
    sums = _noise_aware_sums(
        cosines,
        label.long(),
        aux_label.long(),
        temperature=20,
        gamma=7,
        detach_confidence=False,
        ignore_index=255,
    )
    assert int(sums[1]) == int(data[f'c{case}_n_reliable'])
    assert_close(sums[3].double(), get('sigma_sum'), rtol=1e-5, atol=0)

    loss_ce, loss_wce = noise_aware_loss(cosines, label, aux_label, temperature=20, gamma=7)
    loss = loss_ce + 0.1 * loss_wce
    for ours, key in ((loss_ce, 'loss_ce'), (loss_wce, 'loss_wce'), (loss, 'loss')):
        assert_close(ours.detach(), get(key), atol=1e-5, rtol=0)
    loss.backward()
    for grad, key in ((phi.grad, 'grad_phi'), (weight.grad.flatten(1), 'grad_weight')):
        expected = get(key)
        assert (grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_detached_confidence_changes_gradients_but_not_values(rng):
    cosines, label, aux_label = random_case(rng)
    results = []
    for detach in (False, True):
        leaf = cosines.clone().requires_grad_()
        loss = noise_aware_loss(leaf, label, aux_label, detach_confidence=detach)[1]
        loss.backward()
        results.append((loss.detach(), leaf.grad))
    assert_close(results[0][0], results[1][0])
    assert (results[0][1] - results[1][1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ('label', 'aux_label', 'zero'),
    [(1, 1, 'wce'), (1, 0, 'ce'), (255, 255, 'both'), (255, 1, 'both')],
    ids=['no disagreement', 'no agreement', 'all ignored', 'label ignored, second map not'],
)
def test_a_term_without_pixels_is_zero_and_attached(rng, label, aux_label, zero):
    cosines = (torch.rand(2, 3, 4, 4, generator=rng) - 0.5).requires_grad_()
    losses = noise_aware_loss(
        cosines, torch.full((2, 4, 4), label), torch.full((2, 4, 4), aux_label)
    )
    for name, loss in zip(('ce', 'wce'), losses, strict=True):
        assert (loss.item() == 0) == (zero in (name, 'both'))
    sum(losses).backward()
    assert cosines.grad.isfinite().all()


def test_a_pixel_that_only_the_second_map_ignores_is_unreliable(rng):
    cosines = torch.rand(1, 3, 1, 1, generator=rng)
    label = torch.ones(1, 1, 1, dtype=torch.uint8)
    loss_ce, loss_wce = noise_aware_loss(cosines, label, torch.full_like(label, 255))
    assert loss_ce == 0
    assert loss_wce > 0


def test_opposite_features_give_finite_gradients():
    cosines = torch.full((1, 3, 1, 1), -1.0 - 1e-7, requires_grad=True)
    label = torch.zeros(1, 1, 1, dtype=torch.long)
    sum(noise_aware_loss(cosines, label, label + 1, gamma=1.5)).backward()
    assert cosines.grad.isfinite().all()


def test_half_precision_cosines_give_single_precision_losses(rng):
    cosines, label, aux_label = random_case(rng)
    for loss in noise_aware_loss(cosines.half(), label, aux_label):
        assert loss.dtype == torch.float32


def test_the_module_weights_the_second_term(rng):
    cosines, label, aux_label = random_case(rng)
    expected = noise_aware_loss(cosines, label, aux_label, temperature=10, gamma=3)
    module = MODELS.build({'type': 'NoiseAwareLoss', 'gamma': 3, 'weight': 0.5})
    losses = module(cosines, label, aux_label, temperature=10)
    assert_close(losses, {'loss_ce': expected[0], 'loss_wce': 0.5 * expected[1]})


def test_a_negative_gamma_is_refused():
    with pytest.raises(ValueError, match='gamma must be >= 0'):
        NoiseAwareLoss(gamma=-1)


def test_two_processes_equal_one(rng, on_two_ranks):
    cosines, label, aux_label = random_case(rng)
    aux_label[1] = label[1]  # the second process has no disagreement
    single = cosines.clone().requires_grad_()
    losses = noise_aware_loss(single, label, aux_label)
    (losses[0] + losses[1]).backward()

    def loss_of_one_image(rank):
        image = slice(rank, rank + 1)
        leaf = cosines[image].clone().requires_grad_()
        rank_losses = noise_aware_loss(leaf, label[image], aux_label[image])
        (rank_losses[0] + rank_losses[1]).backward()
        return torch.stack(rank_losses).detach(), leaf.grad / 2  # DDP averages

    for rank, (rank_losses, rank_grad) in enumerate(on_two_ranks(loss_of_one_image)):
        assert_close(rank_losses, torch.stack(losses).detach())
        assert_close(rank_grad[0], single.grad[rank])
