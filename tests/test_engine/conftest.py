from pathlib import Path

import pytest
from mmengine.config import Config


@pytest.fixture(scope='session')
def label_config():
    """Config of a stage that labels shapes in this process, by default their filled boxes."""

    def of(
        data: Path, split: str, out_dir: Path, labels: dict, *, model: dict | None = None, **loop
    ) -> Config:
        config = dict(
            default_scope='mmwsss',
            model=model or dict(type='FilledBoxes'),
            test_cfg={
                'type': 'PseudoLabelLoop',
                'out_dir': str(out_dir),
                'num_workers': 0,
                'generator': dict(type='PseudoLabelGenerator', labels=labels),
                **loop,
            },
            test_evaluator=[],
            test_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='ShapesWeakDataset',
                    data_root=str(data / 'shapes'),
                    ann_file=f'ImageSets/Segmentation/{split}.txt',
                    test_mode=True,
                    pipeline=[
                        dict(type='LoadImage'),
                        dict(type='LoadWeakAnnotations'),
                        dict(type='PackWeakInputs'),
                    ],
                ),
            ),
        )
        return Config(config)

    return of
