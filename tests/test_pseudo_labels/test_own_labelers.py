"""Labelers of single labels in a generator."""

import numpy as np
import pytest
import torch

from mmwsss.pseudo_labels import PseudoLabelGenerator
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Labeler

IMAGE = np.zeros((20, 24, 3), dtype=np.uint8)
SEED = dict(background=dict(type='ConstantBackground', threshold=0.5))


class Everywhere(Labeler):
    """Labeler of the tests: gives every pixel one label."""

    requires = ('pred_score',)
    files = ('everywhere.pth',)

    def __init__(self, label):
        self.label = label

    @property
    def counts(self):
        return {'without_map': self.label}

    def __call__(self, scores, sample):
        return torch.full(scores.shape[1:], self.label, dtype=torch.uint8)


@pytest.fixture(autouse=True)
def everywhere():
    TASK_UTILS.register_module(name='Everywhere', module=Everywhere)
    yield
    TASK_UTILS.module_dict.pop('Everywhere')


def own(label):
    return dict(type='Everywhere', label=label)


def test_a_label_may_have_its_own_labeler(random_sample):
    labels = dict(
        seed=SEED, nine=dict(start='seed', labeler=own(9)), ten={**SEED, 'labeler': own(10)}
    )
    made = PseudoLabelGenerator(labels=labels).generate(random_sample([[4, 3, 17, 15]], [6]), IMAGE)
    assert (made['nine'] == 9).all()
    assert (made['ten'] == 10).all()
    assert set(np.unique(made['seed'])) <= {0, 7}


def test_another_labeler_leaves_the_scores_as_they_are(random_sample):
    labels = dict(seed=SEED, nine=dict(start='seed', labeler=own(9)))
    steps = PseudoLabelGenerator(labels=labels).steps(random_sample([[4, 3, 17, 15]], [6]), IMAGE)
    with pytest.raises(StopIteration) as finished:
        next(steps)
    scores = finished.value.value.scores
    assert scores['nine'].equal(scores['seed'])


def test_what_a_labeler_requires_reads_and_counts_is_the_generators():
    labels = dict(
        seed=SEED,
        nine=dict(start='seed', labeler=own(9)),
        ten=dict(start='seed', labeler=own(10)),
    )
    generator = PseudoLabelGenerator(labels=labels)
    assert generator.requires == {'pred_score'}
    assert set(generator.files) == {'everywhere.pth'}
    # Both saw the same images.
    assert generator.counts == {'without_class': 0, 'without_map': 10}


def test_an_image_without_a_class_is_background_for_every_labeler(random_sample):
    labels = dict(seed=SEED, clear=dict(start='seed', labeler=dict(type='ConflictLabeler')))
    made = PseudoLabelGenerator(labels=labels).generate(random_sample([], []), IMAGE)
    assert (made['clear'] == 0).all()


def test_a_label_that_starts_from_another_needs_refiners_or_a_labeler():
    with pytest.raises(ValueError, match="would repeat 'seed': give it `refiners` or a `labeler`"):
        PseudoLabelGenerator(labels=dict(seed=SEED, again=dict(start='seed')))
