from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def images_to_label():
    """Config of a loader of the shapes' images with their labels, one at a time."""

    def of(data: Path, split: str) -> dict:
        return dict(
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
        )

    return of
