from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch import nn

from mmwsss.registry import MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
LARGE_FOV = 'bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321'
NOISE_AWARE = [
    LARGE_FOV,
    'bana/bana-nal_deeplabv3_r101-d8_voc12-321x321',
    'bana/bana-nal_mobilenet-v2_voc12-mini-320x320',
    'bana/bana-nal_deeplabv2_mobilenet-v2_voc12-mini-320x320',
    'bana/bana-nal_deeplabv2_r101-d8_voc12-321x321',
]
DEEPLABV2 = 'segmentors/deeplabv2_r101-d8_voc12-321x321'
CROSS_ENTROPY = [
    'segmentors/deeplabv1-largefov_vgg16_voc12-321x321',
    'segmentors/aspp1_mobilenet-v2_voc12-mini-320x320',
    'segmentors/deeplabv2_mobilenet-v2_voc12-mini-320x320',
]


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def build(name):
    config = load(name).model
    if 'norm_cfg' in config.backbone and config.backbone.norm_cfg.type == 'SyncBN':
        for part in (config.backbone, config.decode_head):
            part.norm_cfg = {'type': 'BN'}  # SyncBN trains only on GPUs
    return MODELS.build(config)


def make_batch(rng, *, second_map, size=65):
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo={'img_path': 'a.jpg', 'img_shape': (size, size)})
        for field in ['gt_sem_seg', 'gt_sem_seg_aux'][: 1 + second_map]:
            data = torch.randint(21, (1, size, size), generator=rng)
            sample.set_data({field: PixelData(data=data)})
        samples.append(sample)
    inputs = [torch.randint(256, (3, size, size), generator=rng, dtype=torch.uint8)] * 2
    return {'inputs': inputs, 'data_samples': samples}


@pytest.mark.parametrize('name', [*NOISE_AWARE, *CROSS_ENTROPY])
def test_a_step_of_every_segmentor_gives_finite_losses(name, rng):
    model = build(name).train()
    batch = model.data_preprocessor(make_batch(rng, second_map=name in NOISE_AWARE), training=True)
    losses = model(**batch, mode='loss')
    assert all(loss.isfinite().all() for loss in losses.values())
    assert ('decode.loss_wce' in losses) == (name in NOISE_AWARE)


@pytest.mark.parametrize('name', [*NOISE_AWARE, *CROSS_ENTROPY])
def test_ignored_pixels_have_no_part_in_the_mean(name):
    config = load(name).model
    losses = [
        config[head].get('loss_decode')
        for head in config
        if head.endswith('_head') and config[head]
    ]
    for loss in filter(None, losses):
        assert loss.type == 'NoiseAwareLoss' or loss.avg_non_ignore


@pytest.mark.parametrize('name', NOISE_AWARE)
def test_a_new_head_predicts_at_the_original_size(name, rng):
    model = build(name).eval()
    sample = SegDataSample(metainfo={'ori_shape': (50, 40), 'img_shape': (65, 65)})
    image = torch.randint(256, (3, 65, 65), generator=rng, dtype=torch.uint8)
    (result,) = model.test_step({'inputs': [image], 'data_samples': [sample]})
    assert result.pred_sem_seg.data.shape == (1, 50, 40)


def learning_rates(name):
    """Learning rate of every parameter."""
    with torch.device('meta'):
        model = MODELS.build(load(name).model)
    wrapper = build_optim_wrapper(model, load(name).optim_wrapper)
    owner = {id(parameter): name for name, parameter in model.named_parameters()}
    return {owner[id(group['params'][0])]: group['lr'] for group in wrapper.optimizer.param_groups}


def test_new_layers_of_deeplabv3_have_ten_times_the_rate():
    rates = learning_rates(NOISE_AWARE[1])
    assert rates['backbone.stem.0.weight'] == pytest.approx(2.5e-4)
    assert rates['decode_head.conv_seg.weight'] == pytest.approx(2.5e-3)


def test_normalisations_of_deeplabv2_are_frozen():
    with torch.device('meta'):
        model = MODELS.build(load(DEEPLABV2).model).train()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(44.05e6, abs=5e3)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 104
    assert not any(norm.training for norm in norms)
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())


def test_a_crop_of_deeplabv2_is_padded_at_the_right_and_bottom(tmp_path):
    image = np.full((40, 60, 3), 200, dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / 'a.png')
    Image.fromarray(np.full((40, 60), 7, dtype=np.uint8)).save(tmp_path / 'mask.png')
    steps = load(DEEPLABV2).train_dataloader.dataset.pipeline
    unflipped = [dict(s, prob=0.0) if s['type'] == 'RandomFlip' else s for s in steps]
    packed = Compose([TRANSFORMS.build(step) for step in unflipped])(
        {
            'img_path': str(tmp_path / 'a.png'),
            'seg_map_path': str(tmp_path / 'mask.png'),
            'num_classes': 20,
            'seg_fields': [],
        }
    )
    label = packed['data_samples'].gt_sem_seg.data[0]
    assert label.shape == (321, 321)
    height, width = int((label[:, 0] == 7).sum()), int((label[0] == 7).sum())
    assert (height, width) in [(20, 30), (30, 45), (40, 60), (50, 75), (60, 90)]
    assert (label[:height, :width] == 7).all()
    assert (label == 255).sum() == 321 * 321 - height * width
    mean = torch.tensor([104.008, 116.669, 122.675]).view(3, 1)
    assert torch.allclose(packed['inputs'][:, -1], mean.expand(3, 321))


def test_deeplabv2_is_tested_at_the_original_size_with_the_crf_for_resnet():
    config = load(DEEPLABV2)
    views = config.tta_pipeline[1]['transforms']
    assert [[step['type'] for step in branch] for branch in views] == [
        ['RandomFlip'],
        ['LoadAnnotations'],
        ['PackWeakInputs'],
    ]
    assert views[0][0]['prob'] == 0
    assert config.tta_model.refiner == dict(
        type='DenseCRF', bilateral_weight=4, bilateral_xy=67, bilateral_rgb=3, gaussian_xy=1
    )


def test_no_head_learns_disputed_pixels_as_if_the_maps_agreed():
    for path in CONFIGS.glob('bana/bana-nal_*.py'):
        model = Config.fromfile(path).model
        assert model.decode_head.type.startswith('NoiseAware')
        assert model.get('auxiliary_head') is None


@pytest.mark.parametrize(
    'path',
    [*CONFIGS.glob('segmentors/*_res*.py'), *CONFIGS.glob('*/*_r101*.py')],
    ids=lambda path: path.stem,
)
def test_the_crf_of_every_resnet_is_narrower_than_that_of_vgg16(path):
    crf = Config.fromfile(path).tta_model.refiner
    values = (crf.bilateral_weight, crf.bilateral_xy, crf.bilateral_rgb, crf.gaussian_xy)
    assert values == (4, 67, 3, 1)
    assert crf.get('gaussian_weight', 3) == 3


def test_the_augmented_test_has_eight_views_and_unaugmented_truth(tmp_path):
    random = np.random.default_rng(0)
    image = random.integers(256, size=(40, 60, 3), dtype=np.uint8)
    mask = random.integers(21, size=(40, 60), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / 'a.png')
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    pipeline = Compose([TRANSFORMS.build(step) for step in load(LARGE_FOV).tta_pipeline])
    views = pipeline(
        {
            'img_path': str(tmp_path / 'a.png'),
            'seg_map_path': str(tmp_path / 'mask.png'),
            'img_id': 'a',
            'label_map': None,
            'reduce_zero_label': False,
            'seg_fields': [],
        }
    )
    sizes = [tuple(view.shape[1:]) for view in views['inputs']]
    assert sizes == [size for size in ((40, 60), (20, 30), (30, 45), (60, 90)) for _ in range(2)]
    assert [bool(sample.flip) for sample in views['data_samples']] == [False, True] * 4
    for sample in views['data_samples']:
        assert (sample.gt_sem_seg.data[0].numpy() == mask).all()


def test_the_augmented_test_with_crf_gives_a_label_map(tmp_path):
    pytest.importorskip('pydensecrf')
    image = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / 'a.png')
    config = load('bana/bana-nal_mobilenet-v2_voc12-mini-320x320')
    tta = load(LARGE_FOV)
    pipeline = [dict(step) for step in tta.tta_pipeline]
    pipeline[1]['transforms'] = [
        branch for branch in pipeline[1]['transforms'] if branch[0]['type'] != 'LoadAnnotations'
    ]
    views = Compose([TRANSFORMS.build(step) for step in pipeline])(
        {'img_path': str(tmp_path / 'a.png'), 'img_id': 'a', 'seg_fields': []}
    )
    model = MODELS.build({**tta.tta_model, 'module': config.model}).eval()
    batch = {key: [[view] for view in value] for key, value in views.items()}
    with torch.no_grad():
        (merged,) = model.test_step(batch)
    assert merged.pred_sem_seg.data.shape == (1, 40, 60)
