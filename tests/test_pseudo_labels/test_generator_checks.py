"""What the generator refuses: labels at construction, samples on arrival."""

import numpy as np
import pytest
import torch

from mmwsss.pseudo_labels import PseudoLabelGenerator
from mmwsss.structures import Background, Labeler, Normalizer, Refiner, UserInputError

IMAGE = np.zeros((20, 24, 3), dtype=np.uint8)
CONSTANT = dict(type='ConstantBackground', threshold=0.5)
REFINERS = [dict(type='BoxConstraint')]


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (dict(), 'at least one label'),
        (dict(a=dict()), 'needs either'),
        (dict(a=dict(refiners=REFINERS)), 'needs either'),
        (
            dict(a=dict(background=CONSTANT), b=dict(start='a', background=CONSTANT)),
            'needs either',
        ),
        (dict(a=dict(start='seed', refiners=REFINERS)), "starts from 'seed', but the labels are"),
        (
            dict(b=dict(start='a', refiners=REFINERS), a=dict(background=CONSTANT)),
            "List 'a' first",
        ),
        (dict(a=dict(start='a', refiners=REFINERS)), 'not made before it'),
        (
            dict(a=dict(background=CONSTANT), b=dict(start='a')),
            "would repeat 'a'. Give it `refiners` or a `labeler`",
        ),
        (dict(a=dict(background=CONSTANT, refiner=REFINERS)), r"unknown keys \['refiner'\]"),
    ],
)
def test_impossible_labels_are_refused_at_construction(labels, message):
    with pytest.raises(ValueError, match=message):
        PseudoLabelGenerator(labels=labels)


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_maps_that_are_no_numbers_are_refused(random_sample, value):
    sample = random_sample([[4, 3, 17, 15]], [6])
    sample.set_metainfo(dict(img_path='a.jpg'))
    sample.cams[0, 2, 3] = value
    generator = PseudoLabelGenerator(labels=dict(seed=dict(background=CONSTANT)))
    with pytest.raises(ValueError, match=r'`cams` of a\.jpg must be finite'):
        generator.generate(sample, IMAGE)


def test_missing_fields_are_named(box_generator, random_sample):
    sample = random_sample([[2, 2, 12, 12]], [3])
    del sample.feats
    with pytest.raises(ValueError, match=r"lacks \['feats'\]"):
        box_generator.generate(sample, IMAGE)


def test_maps_of_another_size_are_refused(random_sample):
    sample = random_sample([[2, 2, 12, 12]], [3])
    generator = PseudoLabelGenerator(labels=dict(a=dict(background=CONSTANT)))
    with pytest.raises(ValueError, match=r'`cams` must have the size of the image \(10, 24\)'):
        generator.generate(sample, IMAGE[:10])


def test_number_of_maps_and_classes_must_agree(random_sample):
    sample = random_sample([[2, 2, 12, 12]], [3])
    sample.cams = sample.cams.repeat(2, 1, 1)
    generator = PseudoLabelGenerator(labels=dict(a=dict(background=CONSTANT)))
    with pytest.raises(ValueError, match='one map per entry'):
        generator.generate(sample, IMAGE)


class Doubled(Normalizer):
    def normalize(self, cams, sample):
        return torch.cat([cams, cams])


class NoBackground(Refiner):
    def refine(self, scores, image, sample):
        return scores[1:]


class Undefined(Refiner):
    def refine(self, scores, image, sample):
        return scores * torch.nan


class Wide(Background):
    def background(self, cams, sample):
        return cams


class FloatLabels(Labeler):
    def __call__(self, scores, sample):
        return scores[0]


class ForeignLabels(Labeler):
    def __call__(self, scores, sample):
        return torch.full(scores.shape[1:], 37, dtype=torch.uint8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(normalize=Doubled),
            r'Doubled must return the shape \(2, 20, 24\), got \(4, 20,',
        ),
        (dict(refiners=NoBackground), 'NoBackground must return the shape'),
        (dict(refiners=Undefined), "scores of the label 'a' must be finite"),
        (dict(background=Wide), r'Wide must return the shape \(1, 20, 24\)'),
        (dict(labeler=FloatLabels), 'FloatLabels must return uint8 label maps, got float32'),
        (dict(labeler=ForeignLabels), 'ForeignLabels gave the label 37, but the image only has'),
    ],
)
def test_what_a_part_gives_is_held_against_its_contract(options, message, random_sample):
    parts = {key: dict(type=kind) for key, kind in options.items()}
    label = dict(background=CONSTANT)
    label.update({k: [v] if k == 'refiners' else v for k, v in parts.items() if k != 'normalize'})
    generator = PseudoLabelGenerator(normalize=parts.get('normalize'), labels=dict(a=label))
    with pytest.raises(UserInputError, match=message):
        generator.generate(random_sample([[2, 2, 9, 9], [5, 3, 20, 15]], [0, 2]), IMAGE)
