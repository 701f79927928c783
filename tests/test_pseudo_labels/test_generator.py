import pickle

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmwsss.pseudo_labels import PseudoLabelGenerator, RefineJob
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Labeler, Refiner

SIZE = (20, 24)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
CONSTANT = dict(type='ConstantBackground', threshold=0.5)
SEED = dict(background=CONSTANT)


class Halve(Refiner):
    """Test refiner: halves the background, in a worker or not."""

    requires = ()

    def __init__(self, in_worker: bool) -> None:
        self.in_worker = in_worker

    def refine(self, scores, image, sample):
        assert (sample is None) == self.in_worker
        return torch.cat([scores[:1] / 2, scores[1:]])


class Everywhere(Labeler):
    """Test labeler: gives every pixel the same label."""

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
def own_parts():
    parts = {'Halve': Halve, 'Everywhere': Everywhere}
    for name, part in parts.items():
        TASK_UTILS.register_module(name=name, module=part)
    yield
    for name in parts:
        TASK_UTILS.module_dict.pop(name)


@pytest.mark.parametrize('index', [0, 1, 2])
def test_whole_chain_matches_the_oracle(box_generator, oracle_image, index):
    image, sample = oracle_image(index)
    steps = box_generator.steps(sample, image['image'])
    job = next(steps)
    np.testing.assert_allclose(job.stacks[0], image['unary'], rtol=0, atol=5e-6)
    (refined,) = job()
    difference = np.abs(refined - image['crf'].astype(np.float32))
    assert difference.max() < 2e-3
    assert difference.mean() < 2e-4
    with pytest.raises(StopIteration) as finished:
        steps.send((refined,))
    labels = finished.value.value.labels
    assert (labels['Y_crf'] != image['y_crf']).mean() <= 1e-3
    assert (labels['Y_ret'] != image['y_ret']).mean() <= 1e-3


@pytest.mark.parametrize('index', [0, 1, 2])
def test_generate_gives_what_the_steps_give(box_generator, oracle_image, index):
    image, sample = oracle_image(index)
    labels = box_generator.generate(sample, image['image'])
    assert list(labels) == ['seed', 'Y_crf', 'Y_ret']
    assert labels['Y_crf'].dtype == np.uint8
    assert (labels['Y_crf'] != image['y_crf']).mean() <= 1e-3
    assert (labels['Y_ret'] != image['y_ret']).mean() <= 1e-3


@pytest.mark.parametrize(
    ('boxes', 'labels'),
    [
        ([[0, 0, 24, 20]], [3]),  # no background pixel
        ([[5, 5, 6, 6]], [3]),  # a single pixel
        ([[5, 5, 5, 9], [2, 2, 9, 9]], [3, 3]),  # one box without area
        ([[5, 5, 5, 9]], [3]),  # only a box without area
        ([[-4, -4, 50, 9]], [3]),  # beyond the image
        ([[2, 2, 12, 12], [4, 4, 14, 14], [3, 3, 8, 8]], [3, 3, 7]),
    ],
)
def test_unusual_boxes_give_labels_inside_their_boxes(box_generator, random_sample, boxes, labels):
    sample = random_sample(boxes, labels)
    maps = box_generator.generate(sample, IMAGE)
    outside = (sample.background_mask.data[0] == 1).numpy()
    for label in maps.values():
        assert set(np.unique(label)) <= {0, *(c + 1 for c in labels)}
        assert not label[outside].any()


def test_box_that_fills_the_image_is_not_silently_background(box_generator, random_sample):
    labels = box_generator.generate(random_sample([[0, 0, 24, 20]], [3]), IMAGE)
    assert (labels['Y_crf'] == 4).any()
    assert box_generator.counts == {'without_class': 0, 'without_background': 1}


def test_image_without_a_class_is_background_without_a_job(box_generator, random_sample):
    steps = box_generator.steps(random_sample([], []), IMAGE)
    with pytest.raises(StopIteration) as finished:
        next(steps)
    for label in finished.value.value.labels.values():
        assert label.shape == SIZE
        assert not label.any()
    assert box_generator.counts['without_class'] == 1


def test_start_continues_from_the_refined_scores_of_an_earlier_label(random_sample):
    sample = random_sample([[0, 0, 4, 4]], [3])
    sample.cams = torch.full((1, *SIZE), 0.3)
    generator = PseudoLabelGenerator(
        labels=dict(
            plain=dict(background=CONSTANT),
            half=dict(background=CONSTANT, refiners=[dict(type='Halve', in_worker=True)]),
            quarter=dict(start='half', refiners=[dict(type='Halve', in_worker=False)]),
            again=dict(start='plain', refiners=[dict(type='Halve', in_worker=False)]),
        )
    )
    labels = generator.generate(sample, IMAGE)
    assert {name: np.unique(label).tolist() for name, label in labels.items()} == {
        'plain': [0],
        'half': [4],
        'quarter': [4],
        'again': [4],
    }


def test_result_sent_back_replaces_the_scores(random_sample):
    sample = random_sample([[0, 0, 4, 4]], [3])
    generator = PseudoLabelGenerator(
        labels=dict(only=dict(background=CONSTANT, refiners=[dict(type='Halve', in_worker=True)]))
    )
    steps = generator.steps(sample, IMAGE)
    job = next(steps)
    sent = np.zeros_like(job.stacks[0])
    sent[1, :, 5] = 1
    with pytest.raises(StopIteration) as finished:
        steps.send((sent,))
    label = finished.value.value.labels['only']
    assert np.unique(label[:, 5]).tolist() == [4]
    assert not np.delete(label, 5, axis=1).any()


def test_cams_are_normalised_before_any_label(random_sample):
    sample = random_sample([[0, 0, 4, 4]], [3])
    sample.cams = torch.zeros(1, *SIZE)
    sample.cams[0, 2, 2] = 100.0
    sample.cams[0, 3, 3] = 40.0  # 0.4 of the maximum
    generator = PseudoLabelGenerator(
        normalize=dict(type='MaxNormalize'), labels=dict(seed=dict(background=CONSTANT))
    )
    assert generator.generate(sample, IMAGE)['seed'].nonzero() == (2, 2)


def test_job_survives_pickling(box_generator, random_sample):
    job = next(box_generator.steps(random_sample([[2, 2, 12, 12]], [3]), IMAGE))
    assert isinstance(job, RefineJob)
    copied = pickle.loads(pickle.dumps(job))
    assert_close(torch.from_numpy(copied()[0]), torch.from_numpy(job()[0]))


def test_requires_is_the_union_of_the_parts(box_generator):
    assert box_generator.requires == {
        'feats',
        'class_weights',
        'pred_score',
        'gt_instances',
        'background_mask',
    }
    assert PseudoLabelGenerator(labels=dict(a=dict(background=CONSTANT))).requires == set()


def own(label):
    return dict(type='Everywhere', label=label)


def test_a_label_may_have_its_own_labeler(random_sample):
    labels = dict(
        seed=SEED,
        seven=dict(start='seed', labeler=own(7)),
        all_ignored={**SEED, 'labeler': own(255)},
    )
    made = PseudoLabelGenerator(labels=labels).generate(random_sample([[4, 3, 17, 15]], [6]), IMAGE)
    assert (made['seven'] == 7).all()
    assert (made['all_ignored'] == 255).all()
    assert set(np.unique(made['seed'])) <= {0, 7}


def test_another_labeler_leaves_the_scores_as_they_are(random_sample):
    labels = dict(seed=SEED, seven=dict(start='seed', labeler=own(7)))
    steps = PseudoLabelGenerator(labels=labels).steps(random_sample([[4, 3, 17, 15]], [6]), IMAGE)
    with pytest.raises(StopIteration) as finished:
        next(steps)
    scores = finished.value.value.scores
    assert scores['seven'].equal(scores['seed'])


def test_what_a_labeler_requires_reads_and_counts_is_the_generators():
    labels = dict(
        seed=SEED,
        seven=dict(start='seed', labeler=own(7)),
        all_ignored=dict(start='seed', labeler=own(255)),
    )
    generator = PseudoLabelGenerator(labels=labels)
    assert generator.requires == {'pred_score'}
    assert set(generator.files) == {'everywhere.pth'}
    # Both saw the same images.
    assert generator.counts == {'without_class': 0, 'without_map': 255}


def test_an_image_without_a_class_is_background_for_every_labeler(random_sample):
    labels = dict(seed=SEED, clear=dict(start='seed', labeler=dict(type='ConflictLabeler')))
    made = PseudoLabelGenerator(labels=labels).generate(random_sample([], []), IMAGE)
    assert (made['clear'] == 0).all()
