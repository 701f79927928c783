from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import nn
from torch.testing import assert_close

from mmwsss.engine.hooks.region_centroids_hook import class_centroids
from mmwsss.models.contexts import SemanticAggregation
from mmwsss.models.regions.memory import RegionMemory
from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError


class Contrast(nn.Module):
    """An objective that stores something different at every step."""

    def __init__(self, channels=4):
        super().__init__()
        self.memory = RegionMemory(3, channels, slots=8)

    def store(self, step):
        regions = torch.randn(12, 4, generator=torch.Generator().manual_seed(step))
        classes, gate = torch.arange(12) % 3, torch.ones(12, dtype=torch.bool)
        self.memory.write(regions, classes, gate, [''] * 12, batch_size=4)


class TinyModel(BaseModel):
    """Keeps the centroids of every step."""

    def __init__(self, channels=4):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.objectives = nn.ModuleList([nn.Identity(), Contrast(channels)])
        self.head = nn.Module()
        self.head.context = SemanticAggregation(4, 3, centroids=2)
        self.seen = []

    def forward(self, inputs, mode):
        self.seen.append(self.head.context.centroids.clone())
        self.objectives[1].store(int(inputs[0]))
        return dict(loss=self.weight.sum())


def hook(**options):
    return HOOKS.build(dict(type='RegionCentroidsHook', **{'begin': 2, 'interval': 3, **options}))


def runner_of(model, iteration=0):
    return SimpleNamespace(model=model, iter=iteration, max_iters=10)


def clusters(per_class):
    """Filled slots (1, M, C) of a class."""
    slots = torch.tensor(per_class, dtype=torch.float32)[None]
    return slots, torch.ones(slots.shape[:2], dtype=torch.bool)


@pytest.fixture
def train(train_with):
    """Train; return the centroids of every iteration."""

    def start(*arguments, **options):
        model, items = TinyModel(), [dict(inputs=torch.tensor(i)) for i in range(10)]
        renewal = dict(type='RegionCentroidsHook', begin=2, interval=3)
        train_with(model, renewal, items, *arguments, **options)
        return torch.stack(model.seen)

    return start


def test_two_groups_of_slots_have_their_means_as_centroids():
    slots, filled = clusters([[0, 0], [10, 0], [0, 2], [10, 4]])
    centroids, valid = class_centroids(slots, filled, num_centroids=2, seed=0)
    assert sorted(centroids[0].tolist()) == [[0, 1], [10, 2]]
    assert valid.tolist() == [[True, True]]


def test_every_centroid_is_the_mean_of_the_slots_nearest_to_it(rng):
    # The fixed point of the iteration, from any start.
    slots = torch.randn(2, 30, 4, generator=rng)
    centroids, _ = class_centroids(slots, torch.ones(2, 30, dtype=bool), num_centroids=5, seed=0)
    for rows, means in zip(slots, centroids, strict=True):
        nearest = torch.cdist(rows, means).argmin(dim=1)
        for index, mean in enumerate(means):
            assert_close(mean, rows[nearest == index].mean(dim=0), rtol=1e-4, atol=1e-5)


def test_slots_that_are_not_filled_do_not_count():
    slots, filled = clusters([[1, 1], [99, 99], [3, 3]])
    filled[0, 1] = False
    centroids, valid = class_centroids(slots, filled, num_centroids=2, seed=0)
    assert centroids[0].tolist() == [[1, 1], [3, 3]]
    assert valid.all()


def test_slots_that_are_not_finite_do_not_count():
    slots, filled = clusters([[1, 1], [float('nan'), 0], [float('inf'), 0]])
    centroids, valid = class_centroids(slots, filled, num_centroids=2, seed=0)
    assert centroids[0].tolist() == [[1, 1], [0, 0]]
    assert valid.tolist() == [[True, False]]


@pytest.mark.filterwarnings('error')
def test_fewer_distinct_slots_than_centroids_are_the_centroids_themselves():
    slots, filled = clusters([[5, 5], [1, 1], [5, 5], [1, 1], [5, 5]])
    centroids, valid = class_centroids(slots, filled, num_centroids=3, seed=0)
    assert centroids[0].tolist() == [[1, 1], [5, 5], [0, 0]]
    assert valid.tolist() == [[True, True, False]]


@pytest.mark.filterwarnings('error::sklearn.exceptions.ConvergenceWarning')
def test_constant_slots_are_one_centroid():
    slots, filled = clusters([[5, 5]] * 9)
    centroids, valid = class_centroids(slots, filled, num_centroids=3, seed=0)
    assert centroids[0].tolist() == [[5, 5], [0, 0], [0, 0]]
    assert valid.sum() == 1


@pytest.mark.filterwarnings('error::sklearn.exceptions.ConvergenceWarning')
def test_zeros_of_either_sign_are_equal():
    slots, filled = clusters([[0.0, 1], [-0.0, 1], [0.0, 1], [3, -0.0], [3, 0.0]])
    centroids, valid = class_centroids(slots, filled, num_centroids=3, seed=0)
    assert sorted(centroids[0][valid[0]].tolist()) == [[0, 1], [3, 0]]


def test_a_class_without_slots_has_no_centroid(rng):
    slots, filled = torch.randn(3, 8, 4, generator=rng), torch.zeros(3, 8, dtype=torch.bool)
    filled[1] = True
    _, valid = class_centroids(slots, filled, num_centroids=2, seed=0)
    assert valid.tolist() == [[False, False], [True, True], [False, False]]


def test_the_seed_decides_the_centroids(rng):
    slots, filled = torch.randn(1, 40, 4, generator=rng), torch.ones(1, 40, dtype=torch.bool)
    runs = [class_centroids(slots, filled, num_centroids=8, seed=seed)[0] for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize(
    ('iteration', 'renewed'), [(0, False), (1, False), (2, True), (3, False), (4, False), (5, True)]
)
def test_when_centroids_are_renewed_follows_from_the_iteration_alone(iteration, renewed):
    # A fresh hook, as after resuming.
    model = TinyModel()
    model.objectives[1].store(0)
    hook().before_train_iter(runner_of(model, iteration), 0)
    assert model.head.context.valid.all().item() is renewed


def test_an_empty_memory_leaves_the_centroids_as_they_are(rng):
    model = TinyModel()
    before = torch.randn(3, 2, 4, generator=rng)
    model.head.context.set_centroids(before, torch.ones(3, 2, dtype=torch.bool))
    hook().before_train_iter(runner_of(model, 2), 0)
    assert_close(model.head.context.centroids, before)
    assert model.head.context.valid.all()


@pytest.mark.parametrize(('iteration', 'logged'), [(1, []), (2, ['train/entropy'])])
def test_what_the_context_tells_is_logged_once_there_are_centroids(iteration, logged):
    model = TinyModel()
    model.head.context.diagnostics = {'entropy': torch.tensor(0.5)}
    runner, hub = runner_of(model, iteration), MessageHub('hub')
    runner.message_hub = hub
    hook().after_train_iter(runner, 0)
    assert list(hub.log_scalars) == logged


def test_a_resumed_run_sees_the_centroids_of_an_uninterrupted_one(train, tmp_path):
    whole = train('whole', 8)
    changes = (whole[1:] != whole[:-1]).flatten(1).any(1)
    assert changes.nonzero().flatten().tolist() == [1, 4]  # before the iterations 2 and 5
    train('begun', 4)
    rest = train('resumed', 8, load_from=tmp_path / 'begun/iter_4.pth')
    assert_close(rest, whole[4:])


def centroids_of(rank):
    """Centroids of three classes, on any number of processes."""
    model = TinyModel()
    model.objectives[1].memory.slots.normal_(generator=torch.Generator().manual_seed(0))
    model.objectives[1].memory.filled.fill_(True)
    hook().before_train_iter(runner_of(model, 2), 0)
    return model.head.context.centroids, model.head.context.valid


def test_ranks_share_the_classes_and_all_have_the_centroids_of_one_process(on_two_ranks):
    expected, _ = centroids_of(0)
    for centroids, valid in on_two_ranks(centroids_of):
        assert torch.equal(centroids, expected)
        assert valid.all()


def test_processes_without_a_class_help_nobody_and_wait_for_nobody(on_ranks):
    expected, _ = centroids_of(0)
    for centroids, _ in on_ranks(4, centroids_of):  # three classes
        assert torch.equal(centroids, expected)


def test_a_model_without_a_memory_is_an_error_before_the_training():
    model = TinyModel()
    model.objectives = nn.ModuleList([nn.Identity()])
    with pytest.raises(UserInputError, match='one objective with a memory of regions, found 0'):
        hook().before_train(runner_of(model))


def test_a_context_that_takes_no_centroids_is_an_error_before_the_training():
    model = TinyModel()
    model.head.context = None
    with pytest.raises(UserInputError, match=r'set `model.head.context` to.*SemanticAggregation'):
        hook().before_train(runner_of(model))


def test_a_memory_of_other_channels_than_the_context_is_an_error_before_the_training():
    with pytest.raises(
        UserInputError, match='num_classes=3 and channels=5, but the context has 3 and 4'
    ):
        hook().before_train(runner_of(TinyModel(channels=5)))


def test_centroids_that_would_never_come_are_an_error_before_the_training():
    with pytest.raises(
        UserInputError, match='begin=10 is not below the number of training iterations, 10'
    ):
        hook(begin=10).before_train(runner_of(TinyModel()))
    hook(begin=9).before_train(runner_of(TinyModel()))


@pytest.mark.parametrize('options', [dict(begin=-1), dict(interval=0)])
def test_times_without_meaning_are_refused(options):
    with pytest.raises(ValueError, match='begin must be >= 0 and interval >= 1'):
        hook(**options)
