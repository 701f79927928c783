import pytest
import torch
from mmengine.registry import DefaultScope

from mmwsss.datasets import ShapesWeakDataset
from mmwsss.registry import MODELS

META = {key: ShapesWeakDataset.METAINFO[key] for key in ('classes', 'palette')}


@pytest.fixture(scope='session')
def label_stage(tiny_classifier, shapes_data, tmp_path_factory):
    """Config of a stage that labels shapes with a classifier of random weights, and its file."""
    model = tiny_classifier(dict(type='MultiLabelSoftMargin'), num_classes=4)
    pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadWeakAnnotations'),
        dict(type='PackWeakInputs'),
    ]
    background = dict(type='PowerBackground', alpha=2)
    config = dict(
        default_scope='mmwsss',
        model={**model, 'data_preprocessor': dict(type='WeakSegDataPreProcessor')},
        tta_model=dict(type='MultiScaleCAM'),
        tta_pipeline=[
            *pipeline[:2],
            dict(
                type='TestTimeAug',
                transforms=[
                    [dict(type='Resize', scale_factor=f, keep_ratio=True) for f in (0.5, 1.0)],
                    [pipeline[2]],
                ],
            ),
        ],
        test_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='ShapesWeakDataset',
                data_root=str(shapes_data / 'shapes'),
                ann_file='ImageSets/Segmentation/val.txt',
                supervision='tag',
                test_mode=True,
                pipeline=pipeline,
            ),
        ),
        test_cfg=dict(
            type='PseudoLabelLoop',
            num_workers=0,
            keep_scores=('seed',),
            generator=dict(
                type='PseudoLabelGenerator',
                normalize=dict(type='MaxNormalize'),
                labels=dict(
                    other=dict(background=dict(type='ConstantBackground', threshold=0.5)),
                    seed=dict(background=background),
                ),
            ),
        ),
        test_evaluator=[],
    )
    torch.manual_seed(0)
    weights = tmp_path_factory.mktemp('weights') / 'classifier.pth'
    with DefaultScope.overwrite_default_scope('mmwsss'):
        network = MODELS.build(config['model'])
    torch.save({'state_dict': network.state_dict(), 'meta': {'dataset_meta': META}}, weights)
    return config, str(weights)
