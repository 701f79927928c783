import pytest
import torch
from reference import spatial_bce as reference
from torch.testing import assert_close

from mmwsss.models.losses import (
    positive_term,
    predicted_threshold,
    present_rows,
    probability_over_proportion,
    probability_step_loss,
    proportion_kl,
    proportion_threshold,
    threshold_step_loss,
)


def rows_of(labels):
    """Flat indices of the ones in labels (B, K)."""
    return labels.flatten().nonzero().squeeze(1)


def random_case(rng, size=(3, 5, 4, 3)):
    logits = 3 * torch.randn(size, generator=rng)
    labels = (torch.rand(size[:2], generator=rng) < 0.4).float()
    labels[0, 0] = 1
    proportions = torch.rand(size[:2], generator=rng, dtype=torch.float64) * labels
    return logits, labels, proportions


def logit(prob):
    return torch.logit(torch.tensor(prob))


def test_present_rows_count_the_classes_of_earlier_images():
    labels = [torch.tensor([0, 3]), torch.tensor([], dtype=torch.long), torch.tensor([2])]
    assert present_rows(labels, 4).tolist() == [0, 3, 10]


def test_present_rows_of_images_without_classes_are_none():
    assert present_rows([torch.zeros(0, dtype=torch.long)] * 2, 4).tolist() == []


def test_the_uncertainty_is_one_at_the_threshold_and_zero_at_both_ends():
    probs = torch.tensor([[0.0, 0.1, 0.2, 0.6, 1.0]])
    assert_close(positive_term(probs, torch.tensor([0.2])), torch.tensor([[0, 0.75, 1, 0.75, 0.0]]))


def test_the_threshold_leaves_the_expected_number_of_positions_above_it():
    probs = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    for proportion, threshold in ((0.25, 0.3), (0.49, 0.3), (0.5, 0.2), (0.99, 0.1)):
        proportions = torch.tensor([proportion], dtype=torch.float64)
        assert_close(proportion_threshold(probs, proportions).item(), threshold)


@pytest.mark.parametrize(('official', 'threshold'), [(False, 0.3), (True, 0.4)])
def test_a_lost_class_keeps_one_position_unless_as_published(official, threshold):
    probs = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    found = proportion_threshold(probs, torch.zeros(1, dtype=torch.float64), official=official)
    assert_close(found.item(), threshold)


@pytest.mark.parametrize('official', [False, True])
def test_a_class_that_fills_the_image_has_its_smallest_probability_as_threshold(official):
    probs = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    found = proportion_threshold(probs, torch.ones(1, dtype=torch.float64), official=official)
    assert_close(found.item(), 0.1)


@pytest.mark.parametrize('proportion', [0.0, 0.3, 1.0])
def test_a_map_of_one_position_has_that_as_threshold(proportion):
    proportions = torch.tensor([proportion], dtype=torch.float64)
    assert_close(proportion_threshold(torch.tensor([[0.7]]), proportions).item(), 0.7)


def test_the_threshold_is_never_zero():
    proportions = torch.full((1,), 0.5, dtype=torch.float64)
    assert_close(proportion_threshold(torch.full((1, 4), 1e-9), proportions).item(), 1e-4)


def test_indices_of_exact_fractions_are_those_of_double_precision():
    num_positions = 2209
    fractions = torch.arange(num_positions, dtype=torch.float64) / num_positions
    # Each position equals its rank: probabilities fall from left to right.
    probs = torch.linspace(0.9, 0.1, num_positions).expand(num_positions, -1)
    found = proportion_threshold(probs, fractions, official=True)
    expected = [int(j / num_positions * num_positions) for j in range(num_positions)]
    assert_close(found, probs[0, expected])
    # Some products fall below the whole number, but only in double precision.
    assert expected != list(range(num_positions))


def test_the_predicted_threshold_is_the_sigmoid_of_the_mean():
    maps = torch.tensor([[[0.0, 2.0]], [[-30.0, -10.0]]])
    assert_close(predicted_threshold(maps), torch.tensor([torch.tensor(1.0).sigmoid(), 1e-4]))


def test_probability_step_by_hand():
    # Present: threshold 0.5, uncertainties 1 and 1 - (0.3/0.5)^2; absent: -log(1/2) twice.
    logits = torch.stack([logit([0.5, 0.8]), torch.zeros(2)]).view(1, 2, 1, 2)
    proportions = torch.tensor([[0.5, 0.0]], dtype=torch.float64)
    loss = probability_step_loss(logits, proportions, torch.tensor([0]))
    assert_close(loss, (1 + 0.64 + 2 * torch.tensor(2.0).log()) / 4)


def test_threshold_step_by_hand():
    # Threshold 0.5: below it 0.25 and 0.5, above it 0.75.
    logits = logit([0.25, 0.5, 0.75]).view(1, 1, 1, 3)
    loss = threshold_step_loss(logits, torch.zeros(1, 1, 1, 3), torch.tensor([0]))
    assert_close(loss.item(), (0.75 + 1) / 2 + 0.75)


def test_divergence_of_equal_proportions_is_zero():
    logits = logit([0.1, 0.3]).view(1, 1, 1, 2)
    proportions = torch.full((1, 1), 0.2, dtype=torch.float64)
    loss = proportion_kl(logits, proportions, torch.tensor([0]), official=True)
    assert_close(loss.item(), 0.0, atol=1e-7, rtol=0)


def test_all_losses_equal_the_loops_over_positions(rng):
    logits, labels, proportions = random_case(rng)
    threshold_map = torch.randn(logits.shape, generator=rng)
    present = rows_of(labels)
    lists = [x.flatten(2).double().tolist() for x in (logits, threshold_map)]
    tags, shares = labels.tolist(), proportions.tolist()
    assert_close(
        torch.stack(
            [
                probability_step_loss(logits, proportions, present),
                threshold_step_loss(logits, threshold_map, present),
                proportion_kl(logits, proportions, present),
            ]
        ),
        torch.tensor(
            [
                reference.probability_step(lists[0], tags, shares),
                reference.threshold_step(lists[0], lists[1], tags),
                reference.proportion_kl(lists[0], tags, shares),
            ]
        ),
    )


def oracle_case(data, case):
    get = lambda key: torch.from_numpy(data[f'c{case}_{key}'])  # noqa: E731
    return get('logits').requires_grad_(), get('fg'), rows_of(get('labels')), get


@pytest.mark.parametrize('case', [0, 1])
def test_probability_step_meets_the_published_values(oracle, case):
    data = oracle('sbce_loss_p_step')
    logits, proportions, present, get = oracle_case(data, case)
    probs = logits.detach().flatten(0, 1).flatten(1)[present].sigmoid()
    thresholds = proportion_threshold(probs, proportions.flatten()[present], official=True)
    assert_close(thresholds, get('t').flatten()[present], atol=1e-6, rtol=0)
    is_above = probs > thresholds.unsqueeze(1)
    assert is_above.sum() == get('n_high')
    assert (~is_above).sum() == get('n_low')
    # Where the threshold is not raised to its minimum, k positions are above it.
    not_raised = thresholds > 1e-4
    ranks = get('k_index').flatten()[present]
    assert torch.equal(is_above.sum(1)[not_raised], ranks[not_raised])

    loss = probability_step_loss(logits, proportions, present, official=True)
    assert_close(loss.detach().expand(3), get('loss'), atol=1e-6, rtol=0)
    loss.backward()
    assert_close(logits.grad, get('grad_logits'), atol=1e-7, rtol=0)


@pytest.mark.parametrize('case', [0, 1])
def test_threshold_step_meets_the_published_values(oracle, case):
    data = oracle('sbce_loss_t_step')
    logits, _, present, get = oracle_case(data, case)
    threshold_map = get('tau').requires_grad_()
    thresholds = predicted_threshold(threshold_map.detach()).flatten()[present]
    assert_close(thresholds, get('t').flatten()[present], atol=1e-6, rtol=0)
    probs = logits.detach().flatten(0, 1).flatten(1)[present].sigmoid()
    assert (probs > thresholds.unsqueeze(1)).sum() == get('n_high')
    assert (probs <= thresholds.unsqueeze(1)).sum() == get('n_low')

    loss = threshold_step_loss(logits, threshold_map, present)
    assert_close(loss.detach().expand(2), get('loss'), atol=2e-6, rtol=0)
    loss.backward()
    assert logits.grad is None
    expected = get('grad_tau')
    assert (threshold_map.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize('case', [0, 1])
def test_divergence_meets_the_published_values(oracle, case):
    logits, proportions, present, get = oracle_case(oracle('sbce_kl'), case)
    loss = proportion_kl(logits, proportions, present, official=True)
    assert_close(loss.detach().double(), get('loss'), atol=2e-6, rtol=0)
    loss.backward()
    expected = get('grad_logits')
    assert (logits.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_proportions_of_absent_classes_do_not_count(rng):
    logits, labels, proportions = random_case(rng)
    others = torch.where(labels > 0, proportions, 0.7)
    for loss_of in (probability_step_loss, proportion_kl):
        assert_close(
            loss_of(logits, proportions, rows_of(labels)), loss_of(logits, others, rows_of(labels))
        )


def test_without_a_present_class_only_the_absent_ones_are_learnt(rng):
    logits, labels, proportions = random_case(rng)
    logits.requires_grad_()
    threshold_map = torch.zeros_like(logits).requires_grad_()
    none = rows_of(torch.zeros_like(labels))
    loss = probability_step_loss(logits, proportions, none)
    assert_close(loss, torch.nn.functional.softplus(logits).mean())
    zeros = threshold_step_loss(logits, threshold_map, none) + proportion_kl(
        logits, proportions, none
    )
    assert zeros.item() == 0
    zeros.backward()
    assert threshold_map.grad.abs().max() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize(('tau', 'part'), [(9.0, 'below'), (-9.0, 'above')])
def test_a_part_without_positions_is_zero(tau, part):
    logits = torch.zeros(1, 1, 2, 2)
    threshold_map = torch.full((1, 1, 2, 2), tau, requires_grad=True)
    loss = threshold_step_loss(logits, threshold_map, torch.tensor([0]))
    threshold = torch.tensor(tau).sigmoid().item()
    assert_close(loss.item(), reference.uncertainty(0.5, threshold))
    loss.backward()
    assert threshold_map.grad.isfinite().all()
    # The positions grow more certain as the threshold moves away from them.
    assert (threshold_map.grad.sum() < 0) == (part == 'below')


def test_a_constant_map_is_below_its_threshold():
    logits = torch.zeros(1, 1, 3, 3, requires_grad=True)
    proportions = torch.full((1, 1), 0.4, dtype=torch.float64)
    loss = probability_step_loss(logits, proportions, torch.tensor([0]))
    loss.backward()
    assert loss.item() == 1  # every position is at the threshold
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize('official', [False, True])
@pytest.mark.parametrize('value', [-200.0, 200.0])
@pytest.mark.parametrize('proportion', [0.0, 1.0])
def test_saturated_logits_give_finite_gradients(official, value, proportion):
    logits = torch.full((1, 2, 2, 2), value, requires_grad=True)
    threshold_map = torch.full((1, 2, 2, 2), value, requires_grad=True)
    proportions = torch.full((1, 2), proportion, dtype=torch.float64)
    present = torch.tensor([0])
    losses = [
        probability_step_loss(logits, proportions, present, official=official),
        threshold_step_loss(logits, threshold_map, present),
        proportion_kl(logits, proportions, present, official=official),
    ]
    sum(losses).backward()
    for values in (torch.stack(losses), logits.grad, threshold_map.grad):
        assert values.isfinite().all()


def test_a_wrong_certain_class_is_unlearnt_unless_as_published():
    gradients = []
    for official in (False, True):
        logits = torch.full((1, 1, 1, 1), 30.0, requires_grad=True)
        proportions = torch.zeros(1, 1, dtype=torch.float64)
        none = torch.zeros(0, dtype=torch.long)
        probability_step_loss(logits, proportions, none, official=official).backward()
        gradients.append(logits.grad.item())
    assert gradients == [1, 0]


@pytest.mark.parametrize(('proportion', 'value'), [(0.0, -3.0), (1.0, 3.0)])
def test_the_divergence_from_nothing_or_all_is_small_unless_as_published(proportion, value):
    logits = torch.full((1, 1, 10, 10), value)
    proportions = torch.full((1, 1), proportion, dtype=torch.float64)
    default, published = (
        proportion_kl(logits, proportions, torch.tensor([0]), official=official).item()
        for official in (False, True)
    )
    assert default < 0.1 < 0.7 < published


def test_the_divergence_from_all_mirrors_that_from_nothing(rng):
    logits = 3 * torch.randn(1, 1, 4, 5, generator=rng)
    nothing, present = torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0])
    assert_close(
        proportion_kl(-logits, 1 - nothing, present), proportion_kl(logits, nothing, present)
    )


def test_the_divergence_is_least_where_all_but_one_position_are_of_a_class_that_fills_its_image():
    proportions = torch.ones(1, 1, dtype=torch.float64)
    logits = torch.logit(torch.full((1, 1, 2, 2), 0.75)).requires_grad_()
    loss = proportion_kl(logits, proportions, torch.tensor([0]))
    loss.backward()
    assert_close(loss.item(), 0.0, atol=1e-7, rtol=0)
    assert_close(logits.grad, torch.zeros_like(logits), atol=1e-7, rtol=0)


def test_the_divergence_of_a_single_position_is_from_one_half():
    for proportion in (0.0, 0.3, 1.0):
        proportions = torch.full((1, 1), proportion, dtype=torch.float64)
        loss = proportion_kl(torch.zeros(1, 1, 1, 1), proportions, torch.tensor([0]))
        assert_close(loss.item(), 0.0, atol=1e-7, rtol=0)


def test_probabilities_over_proportions_by_hand():
    logits = logit([[[[0.1, 0.3]], [[0.9, 0.9]]], [[[0.5, 0.7]], [[0.9, 0.9]]]])  # (2, 2, 1, 2)
    proportions = torch.tensor([[0.25, 0.0], [0.75, 0.0]], dtype=torch.float64)
    present = torch.tensor([0, 2])
    quotient = probability_over_proportion(logits, proportions, present)
    assert_close(quotient, torch.tensor(0.8))  # (0.2 + 0.6) / (0.25 + 0.75)
    assert_close(probability_over_proportion(logits, proportions, present[:0]), torch.tensor(1.0))


def test_many_classes_equal_few_with_the_same_rows(rng):
    # 80 classes, the first five of which are those of a small case: the divergence is the same.
    logits, labels, proportions = random_case(rng)
    many = [torch.zeros(3, 80, *x.shape[2:], dtype=x.dtype) for x in (logits, labels, proportions)]
    for large, small in zip(many, (logits, labels, proportions), strict=True):
        large[:, :5] = small
    assert_close(
        proportion_kl(many[0], many[2], rows_of(many[1])),
        proportion_kl(logits, proportions, rows_of(labels)),
    )
    absent = 3 * 75 * 12 * torch.tensor(2.0).log()
    assert_close(
        probability_step_loss(many[0], many[2], rows_of(many[1])) * (3 * 80 * 12),
        probability_step_loss(logits, proportions, rows_of(labels)) * (3 * 5 * 12) + absent,
    )


def test_one_position_gives_finite_losses(rng):
    logits, labels, proportions = random_case(rng, (2, 3, 1, 1))
    present = rows_of(labels)
    for loss in (
        probability_step_loss(logits, proportions, present),
        threshold_step_loss(logits, logits, present),
        proportion_kl(logits, proportions, present),
    ):
        assert loss.isfinite()


def test_half_precision_logits_give_single_precision_losses(rng):
    logits, labels, proportions = random_case(rng)
    logits, present = logits.bfloat16(), rows_of(labels)
    for loss in (
        probability_step_loss(logits, proportions, present),
        threshold_step_loss(logits, logits, present),
        proportion_kl(logits, proportions, present),
    ):
        assert loss.dtype == torch.float32


def losses_and_gradient(logits, threshold_map, proportions, present):
    leaves = logits.clone().requires_grad_(), threshold_map.clone().requires_grad_()
    losses = torch.stack(
        [
            probability_step_loss(leaves[0], proportions, present),
            threshold_step_loss(*leaves, present),
            proportion_kl(leaves[0], proportions, present),
        ]
    )
    losses.sum().backward()
    return losses.detach(), torch.stack([leaf.grad for leaf in leaves])


def test_two_processes_give_the_losses_and_gradients_of_one(rng, on_two_ranks):
    # The second process has no present class, the first two.
    logits, _, proportions = random_case(rng, (2, 3, 4, 4))
    threshold_map = torch.randn(logits.shape, generator=rng)
    labels = torch.tensor([[1.0, 1, 0], [0, 0, 0]])
    expected, expected_grad = losses_and_gradient(
        logits, threshold_map, proportions, rows_of(labels)
    )

    def of_one_rank(rank):
        mine = slice(rank, rank + 1)
        inputs = logits[mine], threshold_map[mine], proportions[mine], rows_of(labels[mine])
        losses, grad = losses_and_gradient(*inputs)
        return losses, grad / 2  # DDP averages

    for rank, (losses, grad) in enumerate(on_two_ranks(of_one_rank)):
        assert_close(losses, expected)
        assert_close(grad, expected_grad[:, rank : rank + 1])
