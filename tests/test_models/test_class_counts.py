import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmwsss.models.class_counts import check_num_classes
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

CLASSES = ('background', 'disc', 'triangle', 'cross', 'ring')


def build(path, changes):
    config = Config.fromfile(f'configs/{path}.py')
    config.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    with torch.device('meta'):
        return MODELS.build(config.model)


@pytest.mark.parametrize(
    'path',
    [
        'demo/psa-cam_resnet18_shapes-96x96',
        'demo/bana-nal_resnet18_shapes-96x96',
        'demo/psa-affinity_resnet18_shapes-96x96',
        'mixed/rca-gpp_resnet18_shapes-96x96',
        'mixed/sbce-gap_resnet18_shapes-96x96',
    ],
)
def test_models_of_the_data_set_are_taken(path):
    check_num_classes(build(path, {}), CLASSES)


@pytest.mark.parametrize(
    ('path', 'changes', 'part'),
    [
        ('demo/psa-cam_resnet18_shapes-96x96', {'head.num_classes': 5}, r'head \(CAMHead\)'),
        (
            'mixed/sbce-gap_resnet18_shapes-96x96',
            {'head.num_classes': 5, 'head.context.num_classes': 5},
            r'head \(CAMHead\)',
        ),
        (
            'mixed/rca-gpp_resnet18_shapes-96x96',
            {'objectives.2.num_classes': 5},
            r'objectives\.2 \(RegionContrast\)',
        ),
    ],
)
def test_a_part_of_a_classifier_counts_the_foreground_classes(path, changes, part):
    message = (
        rf'model\.{part} has num_classes=5.*4 foreground classes \(disc, triangle, cross, \.\.'
    )
    with pytest.raises(UserInputError, match=message):
        check_num_classes(build(path, changes), CLASSES)


@pytest.mark.parametrize('part', ['decode_head', 'auxiliary_head'])
def test_a_head_of_a_segmentor_counts_the_background_as_well(part):
    model = build('segmentors/deeplabv3_r101-d8_voc12-321x321', {f'{part}.num_classes': 20})
    message = rf'model\.{part} .*num_classes=20, but the data set has 21 classes with background'
    with pytest.raises(UserInputError, match=message):
        check_num_classes(model, ['background', *map(str, range(20))])


def test_more_classes_than_a_label_map_holds_are_refused():
    classes = ['background', *map(str, range(254))]
    path = 'demo/psa-cam_resnet18_shapes-96x96'
    check_num_classes(build(path, {'head.num_classes': 254}), classes)
    with pytest.raises(UserInputError, match=r'255 foreground classes.*at most 254'):
        check_num_classes(build(path, {'head.num_classes': 255}), [*classes, 'another'])


def test_a_classifier_of_another_package_counts_as_it_likes():
    head = dict(type='LinearClsHead', num_classes=1000, in_channels=4)
    backbone = dict(type='ResNet', depth=18, base_channels=1, stem_channels=1)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone, head=head))
    assert model.head.num_classes == 1000
    check_num_classes(model, [*map(str, range(1000))])
