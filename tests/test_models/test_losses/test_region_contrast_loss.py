import math

import pytest
import torch
import torch.nn.functional as F
from reference import region_contrast as reference
from torch.testing import assert_close

from mmwsss.models.losses.region_contrast_loss import (
    choose_partners,
    class_contrast,
    draw_shares,
    image_shares,
    mixup_contrast,
)
from mmwsss.models.regions.embeddings import mean_threshold_regions, region_embeddings


def random_regions(rng, *, classes=(0, 2, 1, 3, 0), num_classes=4, slots=5, channels=6):
    """Embeddings, classes, validity, partners, shares, memory and filled slots."""
    count = len(classes)
    return dict(
        embeddings=torch.randn(count, channels, generator=rng, requires_grad=True),
        classes=torch.tensor(classes),
        valid=torch.ones(count, dtype=torch.bool),
        partners=torch.randperm(count, generator=rng),
        lam=torch.rand(count, generator=rng),
        slots=torch.randn(num_classes, slots, channels, generator=rng),
        filled=torch.ones(num_classes, slots, dtype=torch.bool),
    )


def loops(case):
    return reference.mixup_contrast(
        case['embeddings'],
        case['classes'].tolist(),
        case['partners'].tolist(),
        case['lam'],
        case['slots'],
        case['filled'],
    )


def test_orthogonal_memory_of_two_classes():
    # The query is the slot of its own class: logit 1 / T = 1 against 0.
    embeddings, slots = torch.tensor([[3.0, 0.0]]), torch.tensor([[[1.0, 0.0]], [[0.0, 5.0]]])
    loss, counted = mixup_contrast(
        embeddings,
        torch.tensor([0]),
        torch.tensor([True]),
        torch.tensor([0]),
        torch.tensor([1.0]),
        slots,
        torch.ones(2, 1, dtype=torch.bool),
        temperature=1.0,
    )
    assert_close(loss, torch.tensor([math.log(math.e + 1) - 1]))
    assert counted.tolist() == [True]


def test_loss_and_gradient_equal_loops_over_slots(rng):
    case = random_regions(rng)
    case['filled'][1, 2:] = False
    case['filled'][3, 0] = False
    loss, counted = mixup_contrast(**case)
    (grad,) = torch.autograd.grad(loss.sum(), case['embeddings'])
    expected = loops(case)
    (expected_grad,) = torch.autograd.grad(expected.sum(), case['embeddings'])
    assert counted.all()
    assert_close(loss, expected)
    assert_close(grad, expected_grad)


@pytest.mark.parametrize('floor', [None, 'published'])
def test_loss_and_gradient_of_the_oracle(oracle, cases_of, floor):
    arrays = oracle('rca_contrast')
    temperature = float(arrays['temperature'])
    floor = floor and float(arrays['floor'])
    for case in cases_of('rca_contrast'):
        if floor is None and case['num_floored'].any():
            continue  # there the exact sum is a different value
        feats, tags = case['mid'].requires_grad_(), case['label']
        labels = [row.nonzero().squeeze(1) for row in tags]
        weights = mean_threshold_regions(case['coarse_map'], tags)
        regions = region_embeddings(feats, weights, labels)
        pairs = list(zip(regions.images.tolist(), regions.classes.tolist(), strict=True))
        wanted = zip(case['partner_image'].tolist(), case['partner_class'].tolist(), strict=True)
        partners = torch.tensor([pairs.index(pair) for pair in wanted])
        filled = torch.ones(case['memory'].shape[:2], dtype=torch.bool)
        region_loss, counted = mixup_contrast(
            regions.embeddings,
            regions.classes,
            regions.valid,
            partners,
            case['lam'],
            case['memory'],
            filled,
            temperature=temperature,
            floor=floor,
        )
        assert counted.all()
        assert_close(region_loss, case['region_loss'], rtol=0, atol=2e-5)
        loss = (region_loss * image_shares(regions.images, counted)).sum()
        assert_close(loss, case['loss'], rtol=1e-6, atol=0)
        (grad,) = torch.autograd.grad(loss, feats)
        assert_close(grad, case['grad_mid'], rtol=0, atol=1e-5 * case['grad_mid'].abs().max())
        lam = case['lam'].float().unsqueeze(1)
        embeddings = regions.embeddings
        query = F.normalize(lam * embeddings + (1 - lam) * embeddings[partners], dim=1)
        assert_close(query, case['query'], rtol=0, atol=2e-6)
        memory = F.normalize(case['memory'], dim=2)
        logits = torch.einsum('rc,kmc->rkm', case['query'], memory) / temperature
        both = torch.stack([case['region_class'], case['partner_class']])
        nce = class_contrast(logits, filled, both, floor=floor)
        assert_close(nce[0], case['nce_own'], rtol=0, atol=2e-5)
        assert_close(nce[1], case['nce_partner'], rtol=0, atol=2e-5)


def test_the_plain_form_of_the_benchmark_has_the_published_loss(cases_of):
    for case in cases_of('rca_contrast'):
        labels = [row.nonzero().squeeze(1).tolist() for row in case['label']]
        pairs = list(
            zip(case['partner_image'].tolist(), case['partner_class'].tolist(), strict=True)
        )
        loss = reference.loss_of_loops(
            case['mid'], case['coarse_map'], labels, pairs, case['lam'].float(), case['memory']
        )
        assert_close(loss, case['loss'], rtol=1e-6, atol=0)


def test_the_floor_is_the_least_sum_of_exponentials():
    # Logits 0 (positive) and -20 (negative) of a query, and 30 of another slot of its class.
    logits = torch.tensor([[[0.0, 30.0], [-20.0, -20.0]]])
    filled = torch.tensor([[True, True], [True, False]])
    nce = class_contrast(logits, filled, torch.tensor([[0]]), floor=1e-4)
    terms = [reference.floored_term(math.exp(-20), x, 30, 1e-4) for x in (0.0, 30.0)]
    assert_close(nce, torch.tensor([[sum(terms) / 2]]))


def test_a_floored_slot_is_pushed_by_its_own_logit_alone():
    logits = torch.tensor([[[0.0, 30.0], [-20.0, -20.0]]], requires_grad=True)
    nce = class_contrast(
        logits, torch.ones(2, 2, dtype=torch.bool), torch.tensor([[0]]), floor=1e-4
    )
    nce.sum().backward()
    # Half of the gradient -1 of the floored term; the other slot equals its sum: gradient about 0.
    assert_close(logits.grad[0, 0, 0], torch.tensor(-0.5))
    assert logits.grad[0, 0, 1].abs() < 1e-6


def test_without_a_floor_far_logits_stay_exact():
    logits = torch.tensor([[[-500.0], [500.0]]])
    nce = class_contrast(logits, torch.ones(2, 1, dtype=torch.bool), torch.tensor([[0]]))
    assert_close(nce, torch.tensor([[1000.0]]))


def finite_gradient(case, **options):
    loss, counted = mixup_contrast(**case, **options)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert case['embeddings'].grad.isfinite().all()
    return loss.detach(), counted.tolist(), case['embeddings'].grad


@pytest.mark.parametrize('floor', [None, 1e-4])
def test_nothing_counts_while_the_memory_is_empty(rng, floor):
    case = random_regions(rng)
    case['filled'][:] = False
    case['slots'].zero_()
    loss, counted, grad = finite_gradient(case, floor=floor)
    assert not any(counted)
    assert loss.abs().sum() == grad.abs().sum() == 0


@pytest.mark.parametrize('floor', [None, 1e-4])
def test_nothing_counts_without_negatives(rng, floor):
    case = random_regions(rng, classes=(0, 0, 0))
    case['filled'][1:] = False
    loss, counted, _ = finite_gradient(case, floor=floor)
    assert not any(counted)
    assert loss.abs().sum() == 0


def test_a_class_without_memory_gives_no_term(rng):
    case = random_regions(rng, classes=(0, 1, 2))
    case['partners'] = torch.tensor([1, 2, 2])
    case['filled'][1] = False
    case['lam'][2] = 1.0
    loss, counted, _ = finite_gradient(case)
    # Region 0 keeps its own term, region 1 that of its partner.
    assert counted == [True, True, True]
    assert_close(loss, loops(case).detach())


def test_a_region_without_memory_and_partner_does_not_count(rng):
    case = random_regions(rng, classes=(0, 1, 2))
    case['partners'], case['lam'] = torch.arange(3), torch.ones(3)
    case['filled'][1] = False
    _, counted, grad = finite_gradient(case)
    assert counted == [True, False, True]
    assert grad[1].abs().sum() == 0


def test_an_empty_region_neither_counts_nor_gets_a_gradient(rng):
    case = random_regions(rng)
    case['valid'][1] = False
    case['embeddings'].data[1] = 0
    case['partners'], case['lam'] = torch.arange(5), torch.ones(5)
    loss, counted, grad = finite_gradient(case)
    assert counted == [True, False, True, True, True]
    assert loss[1] == 0
    assert grad[1].abs().sum() == 0


def test_features_that_are_all_zero_get_no_gradient(rng):
    case = random_regions(rng)
    case['embeddings'].data[2] = 0
    case['partners'], case['lam'] = torch.arange(5), torch.ones(5)
    _, counted, grad = finite_gradient(case)
    assert counted == [True, True, False, True, True]
    assert grad[2].abs().sum() == 0


def test_no_region_at_all_gives_an_empty_loss(rng):
    case = random_regions(rng, classes=())
    case['classes'] = case['classes'].long()
    loss, counted, _ = finite_gradient(case)
    assert loss.shape == (0,)
    assert counted == []


def test_half_precision_and_autocast_compute_in_single_precision(rng):
    case = random_regions(rng)
    half = {**case, 'embeddings': case['embeddings'].detach().bfloat16()}
    with torch.autocast('cpu', torch.bfloat16):
        loss, _ = mixup_contrast(**half)
    expected, _ = mixup_contrast(**{**half, 'embeddings': half['embeddings'].float()})
    assert loss.dtype == torch.float32
    assert_close(loss, expected)


def test_the_memory_may_change_before_the_backward_pass(rng):
    case = random_regions(rng)
    loss, _ = mixup_contrast(**case)
    (expected,) = torch.autograd.grad(loss.sum(), case['embeddings'], retain_graph=True)
    case['slots'].mul_(0)
    case['filled'].logical_not_()
    assert_close(torch.autograd.grad(loss.sum(), case['embeddings'])[0], expected)


IMAGES = torch.tensor([0, 0, 1, 2, 2, 2, 4])
CLASSES = torch.tensor([0, 1, 0, 1, 2, 3, 0])
VALID = torch.tensor([True, True, True, True, False, True, True])


@pytest.mark.parametrize('rule', ['other', 'any'])
def test_an_image_is_drawn_first_and_then_one_of_its_regions(rule):
    torch.manual_seed(0)
    draws = 1500
    frequency = torch.zeros(len(IMAGES), len(IMAGES))
    for _ in range(draws):
        partners, found = choose_partners(IMAGES, CLASSES, VALID, rule=rule)
        frequency[torch.arange(len(IMAGES))[found], partners[found]] += 1 / draws
    expected = reference.partner_probabilities(
        IMAGES.tolist(), CLASSES.tolist(), VALID.tolist(), rule
    )
    assert_close(frequency, expected, rtol=0, atol=0.065)  # five standard deviations
    assert_close(frequency == 0, expected == 0)


def test_a_region_without_an_eligible_partner_is_its_own():
    # A single image; then two images with the same single class.
    for images in ([0, 0], [0, 1]):
        classes = torch.tensor([0, 1]) if images == [0, 0] else torch.tensor([0, 0])
        valid = torch.ones(2, dtype=torch.bool)
        partners, found = choose_partners(torch.tensor(images), classes, valid)
        assert partners.tolist() == [0, 1]
        assert not found.any()


def test_no_partners_are_chosen_among_no_regions():
    none = torch.zeros(0, dtype=torch.long)
    for rule in ('other', 'any'):
        partners, found = choose_partners(none, none, none.bool(), rule=rule)
        assert partners.shape == found.shape == (0,)
        assert draw_shares(found).shape == (0,)


def test_shares_follow_the_beta_distribution():
    torch.manual_seed(0)
    shares = draw_shares(torch.ones(20000, dtype=torch.bool), beta=8.0)
    assert_close(shares.mean(), torch.tensor(0.5), rtol=0, atol=5e-3)
    # The variance of Beta(a, a) is 1 / (4 (2a + 1)).
    assert_close(shares.var(), torch.tensor(1 / 68), rtol=0.05, atol=0)


def test_without_a_partner_a_region_has_the_whole_share():
    shares = draw_shares(torch.tensor([False, True, False]))
    assert shares[0] == shares[2] == 1
    assert 0 < shares[1] < 1


def test_shares_of_an_image_sum_to_one():
    counted = torch.tensor([True, True, False, True, True, True, False])
    shares = counted * image_shares(IMAGES, counted)
    assert_close(shares, torch.tensor([1 / 2, 1 / 2, 0, 1 / 3, 1 / 3, 1 / 3, 0]))
