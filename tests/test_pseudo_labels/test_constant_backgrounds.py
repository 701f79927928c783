"""IRN's labels: two with a high and a low threshold and hard CRFs, merged."""

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

pytest.importorskip('pydensecrf')

from mmwsss.affinity import confident_label
from mmwsss.pseudo_labels import PseudoLabelGenerator
from mmwsss.pseudo_labels.refiners import dense_crf as module


@pytest.fixture
def generator(oracle):
    values = oracle('irn_ir_labels')
    sxy, weight = values['crf_gaussian'].tolist()
    bilateral_xy, bilateral_rgb, bilateral_weight = values['crf_bilateral'].tolist()
    crf = dict(
        type='DenseCRF',
        gt_prob=float(values['gt_prob']),
        gaussian_xy=sxy,
        gaussian_weight=weight,
        bilateral_xy=bilateral_xy,
        bilateral_rgb=bilateral_rgb,
        bilateral_weight=bilateral_weight,
        iterations=int(values['iterations']),
    )
    thresholds = dict(foreground='conf_fg_thres', background='conf_bg_thres')
    labels = {}
    for name, key in thresholds.items():
        start = dict(type='ConstantBackground', threshold=float(values[key]))
        labels[f'{name}_start'] = dict(background=start)
        labels[name] = dict(background=start, refiners=[crf])
    # The CRFs follow each other.
    order = ('foreground_start', 'background_start', 'foreground', 'background')
    return PseudoLabelGenerator(labels={name: labels[name] for name in order})


def sample_of(cams, classes):
    sample = SegDataSample()
    sample.cams, sample.cam_label = cams, classes
    return sample


@pytest.mark.parametrize('number', range(4))
def test_labels_match_the_oracle(cases_of, generator, number):
    case = cases_of('irn_ir_labels')[number]
    classes = case['class_ids']
    labels = generator.generate(sample_of(case['cam'], classes), case['image'].numpy())
    rows = np.concatenate([[0], classes.numpy() + 1])
    assert np.array_equal(labels['foreground_start'], rows[case['fg_pos']])
    assert np.array_equal(labels['background_start'], rows[case['bg_pos']])
    # Ours is a different build of the same CRF.
    for name, key in (('foreground', 'fg_crf'), ('background', 'bg_crf')):
        assert (labels[name] != rows[case[key]]).mean() <= 0.01
    merged = confident_label(labels['foreground'], labels['background'])
    assert (merged != case['label'].numpy()).mean() <= 0.01


def test_both_crfs_share_job_and_lattice(cases_of, generator, monkeypatch):
    case = cases_of('irn_ir_labels')[1]
    built = []
    crf_class = module._crf_class()
    monkeypatch.setattr(module, '_crf_class', lambda: built.append(1) or crf_class)
    module._crf_of_image.cache_clear()
    steps = generator.steps(sample_of(case['cam'], case['class_ids']), case['image'].numpy())
    job = next(steps)
    assert len(job.stacks) == 2
    with pytest.raises(StopIteration):
        steps.send(job())
    assert len(built) == 1


def test_an_image_without_a_class_is_background(generator):
    sample = sample_of(torch.zeros(0, 8, 9), torch.zeros(0, dtype=torch.long))
    labels = generator.generate(sample, np.zeros((8, 9, 3), dtype=np.uint8))
    assert not any(label.any() for label in labels.values())
    assert generator.counts['without_class'] == 1
