"""The numbers that determine losses, labels and tests of every published recipe.

As in the papers and published code, defaults included; see ``test_published_trainings.py``.
"""

import inspect
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.engine.pipeline.entries import stage_entries
from mmwsss.registry import MODELS, TASK_UTILS

CONFIGS = Path(__file__).parents[2] / 'configs'
PSA_CRF = ('DenseCRF', (10, 80, 13), (3, 3), 10, None)
AEFT_CRF = ('DenseCRF', (10, 80, 13), (3, 3), 1, None)
BANA_CRF = ('DenseCRF', (4, 55, 3), (3, 3), 10, None)
IRN_CRF = ('DenseCRF', (10, 50, 5), (3, 3), 10, 0.7)
SBCE_CRF = ('DenseCRF', (10, 40, 5), (3, 3), 10, 0.7)


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def options_of(part, registry):
    """The options of a part, including defaults."""
    options = dict(part)
    parameters = inspect.signature(registry.get(options.pop('type')).__init__).parameters
    defaults = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
    return defaults | options


def pick(part, *names, registry=MODELS):
    options = options_of(part, registry)
    return tuple(options[name] for name in names)


def summary(refiner):
    """What determines a refiner, as one tuple; only the name for those without numbers."""
    if refiner.type == 'DenseCRF':
        options = options_of(refiner, TASK_UTILS)
        bilateral = tuple(options[f'bilateral_{name}'] for name in ('weight', 'xy', 'rgb'))
        gaussian = tuple(options[f'gaussian_{name}'] for name in ('weight', 'xy'))
        return refiner.type, bilateral, gaussian, options['iterations'], options['gt_prob']
    if refiner.type == 'RandomWalk':
        beta, log_steps = pick(refiner, 'beta', 'log_steps', registry=TASK_UTILS)
        return refiner.type, beta, 2**log_steps, refiner.network.radius
    if refiner.type == 'BoundaryWalk':
        names = ('beta', 'log_steps', 'radius', 'stride', 'min_size')
        return refiner.type, *pick(refiner, *names, registry=TASK_UTILS), refiner.network.radius
    return refiner.type


def labels_of(config):
    """What every label starts from, and its refiners."""
    found = {}
    for name, label in config.test_cfg.generator.labels.items():
        start = label.get('start')
        if start is None:
            start = next(iter(v for k, v in label.background.items() if k != 'type'))
        found[name] = (start, *map(summary, label.get('refiners', ())))
    return found


PSA_SEEDS = dict(seed=(16,), low=(4, PSA_CRF), high=(32, PSA_CRF))
PSA_WALK = dict(walk=(16, ('RandomWalk', 8, 256, 5)), walk_crf=('walk', PSA_CRF))
IRN_SEEDS = dict(seed=(0.15,), foreground=(0.3, IRN_CRF), background=(0.05, IRN_CRF))
IRN_WALK = (0.25, ('BoundaryWalk', 10, 8, 5, 4, 512, 10))
RCA_SEEDS = dict(seed=(4,), seed_crf=('seed', PSA_CRF))
LABELS = {
    'irn/irn-cam_resnet50_voc12-512x512': IRN_SEEDS,
    'irn/irn-walk_resnet50_voc12': dict(walk=IRN_WALK, walk_crf=('walk', IRN_CRF)),
    'affinitynet/psa-cam_resnet38_voc12-448x448': PSA_SEEDS,
    'affinitynet/psa-cam_vgg16_voc12-448x448': PSA_SEEDS,
    'affinitynet/psa-walk_resnet38_voc12': PSA_WALK,
    'affinitynet/psa-walk_vgg16_voc12': PSA_WALK,
    'aeft/aeft_resnet38_voc12-320x320': dict(seed=(19,), low=(2, PSA_CRF), high=(21, PSA_CRF)),
    'aeft/aeft-walk_resnet38_voc12': dict(
        walk=(19, ('RandomWalk', 8, 64, 5)), walk_crf=('walk', AEFT_CRF)
    ),
    'rca/rca_vgg16_voc12-368x368': RCA_SEEDS,
    'rca/rca_resnet38_voc12-368x368': RCA_SEEDS,
    'rca/rca-branches-labels_voc12': RCA_SEEDS,
    'rca/rca-branches-saliency_voc12': RCA_SEEDS
    | dict(saliency=('seed_crf', 'SaliencyBackground')),
    'bana/bana_vgg16_voc12-321x321': dict(
        seed=(0.99, 'SoftmaxInBoxes'),
        Y_crf=('seed', BANA_CRF, 'BoxConstraint'),
        Y_ret=('Y_crf', 'RetrievalRefiner', 'BoxConstraint'),
    ),
    'spatial_bce/sbce_resnet38_voc12-369x369': dict(seed=(0.0,), seed_crf=('seed', SBCE_CRF)),
    'spatial_bce/sbce-boundary-confident_resnet38_voc12-448x448': IRN_SEEDS
    | dict(seed_crf=(4, PSA_CRF)),
    'spatial_bce/sbce-boundary_resnet38_voc12-369x369': dict(
        seed=(0.0,), seed_crf=('seed', SBCE_CRF), walk=IRN_WALK, walk_crf=('walk', SBCE_CRF)
    ),
}


@pytest.mark.parametrize('name', LABELS, ids=lambda name: Path(name).stem)
def test_labels_have_the_published_exponents_crfs_and_walks(name):
    assert labels_of(load(name)) == LABELS[name]


FOUR_SCALES = (1, 0.5, 1.5, 2)
BANA_SCALES = (1, 0.5, 0.75, 1.5)
MAPS = {
    'irn/irn-cam_resnet50_voc12-512x512': FOUR_SCALES,
    'affinitynet/psa-cam_resnet38_voc12-448x448': FOUR_SCALES,
    'affinitynet/psa-cam_vgg16_voc12-448x448': FOUR_SCALES,
    'aeft/aeft_resnet38_voc12-320x320': FOUR_SCALES,
    'spatial_bce/sbce_resnet38_voc12-369x369': FOUR_SCALES,
}


def scales_of(config):
    transforms = next(step for step in config.tta_pipeline if 'transforms' in step).transforms
    return tuple(step.scale_factor for step in transforms[0] if 'scale_factor' in step)


@pytest.mark.parametrize('name', MAPS, ids=lambda name: Path(name).stem)
def test_maps_are_made_at_the_published_scales_and_mirrored(name):
    config = load(name)
    assert scales_of(config) == MAPS[name]
    assert config.model.flip


VGG16_TEST = (BANA_SCALES, 2, ('DenseCRF', (4, 121, 5), (3, 3), 10, None))
RESNET_CRF = ('DenseCRF', (4, 67, 3), (3, 1), 10, None)
RESNET_TEST = (BANA_SCALES, 2, RESNET_CRF)
# The scales of DeepLab-V2 are in its model.
DEEPLABV2_TEST = ((), 1, RESNET_CRF)
TESTS = {
    'bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321': VGG16_TEST,
    'bana/bana-nal_deeplabv2_r101-d8_voc12-321x321': RESNET_TEST,
    'bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321': RESNET_TEST,
    'bana/bana-nal_deeplabv3_r101-d8_voc12-321x321': RESNET_TEST,
    'segmentors/deeplabv1-largefov_resnet38_voc12-321x321': RESNET_TEST,
    'segmentors/deeplabv1-largefov_vgg16_voc12-321x321': VGG16_TEST,
    'segmentors/deeplabv2_r101-d8_voc12-321x321': DEEPLABV2_TEST,
    'segmentors/deeplabv2-coco_r101-d8_voc12-321x321': DEEPLABV2_TEST,
    'segmentors/deeplabv3_r101-d8_voc12-321x321': RESNET_TEST,
    'segmentors/deeplabv3_resnet38_voc12-321x321': RESNET_TEST,
    'segmentors/deeplabv3plus_r101-d8_voc12-321x321': RESNET_TEST,
}


@pytest.mark.parametrize('name', TESTS, ids=lambda name: Path(name).stem)
def test_segmentors_are_tested_with_the_published_views_and_crf(name):
    config = load(name)
    transforms = next(step for step in config.tta_pipeline if 'transforms' in step).transforms
    flips = [step for steps in transforms for step in steps if step.type == 'RandomFlip']
    assert (scales_of(config), len(flips), summary(config.tta_model.refiner)) == TESTS[name]


LARGE_FOV, DEEPLABV2 = 'deeplabv1-largefov_{}_voc12-321x321', 'deeplabv2_r101-d8_voc12-321x321'
SEGMENTORS = {
    'psa_voc': LARGE_FOV.format('resnet38'),
    'psa_vgg16_voc': LARGE_FOV.format('vgg16'),
    'aeft_voc': LARGE_FOV.format('resnet38'),
    'sbce_voc': DEEPLABV2,
    'sbce-walk_voc': DEEPLABV2,
    'rca-published_voc': DEEPLABV2,
    'rca_resnet38_voc': DEEPLABV2,
    'bana_voc': f'bana-nal_{LARGE_FOV.format("vgg16")}',
    'bana_deeplabv2-r101_voc': f'bana-nal_{DEEPLABV2}',
}


@pytest.mark.parametrize('name', SEGMENTORS)
def test_pipelines_train_and_test_the_segmentor_of_the_paper(name):
    used = {entry.name: entry.config.stem for entry in stage_entries(load(name))}
    assert used['segmentor'] == used['test'] == SEGMENTORS[name]


def test_bana_has_its_grid_bins_temperature_gamma_and_lambda():
    pooling = load('bana/bana_vgg16_voc12-321x321').model.head.pooling
    assert pick(pooling, 'grid_size', 'bins', 'min_background') == (4, 2, 0.125)
    head = load('bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321').model.decode_head
    assert pick(head, 'temperature') == (20,)
    loss = options_of(head, MODELS).get('loss_decode') or dict(type='NoiseAwareLoss')
    assert pick(loss, 'gamma', 'weight') == (7, 0.1)


def test_aeft_has_its_grids_thresholds_weights_and_margin():
    model = load('aeft/aeft_resnet38_voc12-320x320').model
    assert pick(model.head.pooling, 'bins', 'order') == ((2, 4, 8, 16), 'coarse_to_fine')
    names = ('erase_threshold', 'low_threshold', 'attract_weight', 'repulse_weight', 'margin')
    assert pick(model.objectives[1], *names) == (0.6, 0.2, 0.2, 0.15, 0.5)


@pytest.mark.parametrize('name', ['rca_vgg16', 'rca_resnet38', 'rca-branches_vgg16'])
def test_rca_has_its_weights_memory_and_contrast(name):
    model = load(f'rca/{name}_voc12-368x368').model
    weights = [pick(objective, 'loss_weight')[0] for objective in model.objectives[:2]]
    # Published: 0.01 times the sum over 8 images; here a mean.
    assert [*weights, model.objectives[2].loss_weight] == [1, 0.4, 8 * 0.01]
    objective = model.objectives[2]
    contrast = dict(type='MixupContrast', **(objective.get('contrast') or {}))
    assert pick(contrast, 'temperature', 'beta') == (0.07, 8)
    memory = dict(type='RegionMemory', **(objective.get('memory') or {}))
    assert pick(memory, 'slots', 'momentum', 'score_threshold') == (500, 0.99, 0.7)
    assert pick(model.head.context, 'centroids') == (10,)


@pytest.mark.parametrize('name', ['rca-saliency_vgg16', 'rca-branches-saliency'])
def test_rca_ignores_conflicts_by_the_published_thresholds(name):
    labeler = load(f'rca/{name}_voc12').test_cfg.generator.labels.saliency.labeler
    names = ('conflict', 'saliency', 'attention')
    thresholds = pick(labeler, *(f'{n}_threshold' for n in names), registry=TASK_UTILS)
    assert thresholds == (0.9, 32, 0.8)
    assert pick(labeler, 'min_foreground', registry=TASK_UTILS) == (0.01,)
