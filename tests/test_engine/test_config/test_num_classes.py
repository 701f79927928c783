from mmengine.config import ConfigDict

from mmwsss.engine.config.num_classes import set_num_classes
from mmwsss.models.heads import CAMHead


def with_three_classes(**config) -> ConfigDict:
    config = ConfigDict(config)
    set_num_classes(config, 3)
    return config


def test_parts_of_a_classifier_count_foreground_classes():
    model = dict(
        type='CAMClassifier',
        backbone=dict(type='ResNet', depth=18),
        head=dict(
            type='CAMHead',
            num_classes=20,
            context=dict(type='SemanticAggregation', num_classes=20),
            pooling=dict(type='GatedPyramidPooling', num_classes=7),
        ),
        objectives=[
            dict(type='MultiLabelSoftMargin'),
            dict(type='RegionContrast', num_classes=20, memory=dict(size=4)),
        ],
    )
    model = with_three_classes(model=model).model
    head = model.head
    assert (head.num_classes, head.context.num_classes, head.pooling.num_classes) == (3, 3, 3)
    assert model.objectives[1].num_classes == 3
    # Parts that do not count classes are left unchanged.
    others = (model, model.backbone, model.objectives[0], model.objectives[1].memory)
    assert all('num_classes' not in part for part in others)


def test_heads_of_a_segmentor_count_background_too_also_where_nothing_is_written():
    model = dict(
        type='EncoderDecoder',
        decode_head=[dict(type='FCNHead', num_classes=21), dict(type='NoiseAwareFCNHead')],
        auxiliary_head=dict(type='mmseg.FCNHead', num_classes=150),
    )
    model = with_three_classes(model=model).model
    heads = (*model.decode_head, model.auxiliary_head)
    assert [head.num_classes for head in heads] == [4, 4, 4]


def test_parts_of_the_class_branches_and_networks_of_a_label_generator_are_found():
    config = with_three_classes(
        model=dict(type='CAMClassifier', head=dict(type='ClassBranchesHead', num_classes=20)),
        tta_model=dict(type='MultiScaleCAM'),
        test_cfg=dict(
            type='PseudoLabelLoop',
            generator=dict(
                labels=dict(a=dict(refiners=[dict(network=dict(type='FCNHead', channels=2))]))
            ),
        ),
    )
    assert config.model.head.num_classes == 3
    assert config.test_cfg.generator.labels.a.refiners[0].network.num_classes == 4
    assert config.tta_model == dict(type='MultiScaleCAM')


def test_a_class_instead_of_a_name_is_known_and_unknown_names_pass():
    config = with_three_classes(model=dict(type='Nothing', head=dict(type=CAMHead)))
    assert config.model == dict(type='Nothing', head=dict(type=CAMHead, num_classes=3))
