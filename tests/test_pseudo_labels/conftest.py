import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from mmwsss.pseudo_labels.functional import upsample
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import to_class_index, to_seg_label

NUM_CLASSES = 20


def make_sample(feats, weights, background, boxes, labels, classes):
    """Data sample as the classifier predicts it; labels and classes are indices from 0."""
    sample = SegDataSample()
    sample.cam_label = classes
    size = tuple(background.shape)
    sample.cams = upsample(
        torch.einsum('nc,chw->nhw', weights[to_seg_label(classes)], feats), size
    ).relu()
    sample.pred_score = torch.zeros(len(weights) - 1)
    sample.feats = feats
    sample.class_weights = weights
    sample.background_mask = PixelData(data=background.to(torch.uint8)[None])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return sample


@pytest.fixture
def oracle_image(oracle):
    """Reference values, sample and image for one of the three images of the box-label reference."""
    values = oracle('bana_pseudo_labels')

    def load(index: int):
        image = {k.split('_', 1)[1]: v for k, v in values.items() if k.startswith(f'i{index}_')}
        sample = make_sample(
            torch.from_numpy(image['features'])[0],
            torch.from_numpy(values['weight']),
            torch.from_numpy(image['mask']),
            torch.from_numpy(image['boxes_int']),
            to_class_index(torch.from_numpy(image['labels'])),
            to_class_index(torch.from_numpy(image['classes'])),
        )
        return image, sample

    return load


@pytest.fixture
def random_sample(rng):
    """Random features (8, 5, 6) with the given boxes, for an image of the given size."""

    def make(boxes, labels, *, size=(20, 24), classes=None):
        boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor(labels, dtype=torch.long)
        background = torch.ones(size)
        for x1, y1, x2, y2 in boxes.clamp_min(0).long().tolist():
            background[y1:y2, x1:x2] = 0
        return make_sample(
            torch.rand(8, 5, 6, generator=rng),
            torch.randn(1 + NUM_CLASSES, 8, generator=rng),
            background,
            boxes,
            labels,
            labels.unique() if classes is None else torch.tensor(classes, dtype=torch.long),
        )

    return make


@pytest.fixture
def box_generator():
    """The chain of box supervision: seed, CRF, retrieval."""
    pytest.importorskip('pydensecrf')
    crf = [dict(type='DenseCRF'), dict(type='BoxConstraint')]
    retrieval = [dict(type='RetrievalRefiner'), dict(type='BoxConstraint')]
    seed = dict(background=dict(type='AttentionBackground'), refiners=[dict(type='SoftmaxInBoxes')])
    return TASK_UTILS.build(
        dict(
            type='PseudoLabelGenerator',
            normalize=dict(type='BoxNormalize'),
            labels=dict(
                seed=seed,
                Y_crf=dict(start='seed', refiners=crf),
                Y_ret=dict(start='Y_crf', refiners=retrieval),
            ),
        )
    )
