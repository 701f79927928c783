import numpy as np
import pytest
import torch

from mmwsss.datasets.transforms import PackWeakInputs
from mmwsss.registry import DATASETS, TRANSFORMS

BOXES = {
    'gt_bboxes': np.array([[1, 1, 3, 4], [0, 0, 2, 2], [2, 0, 6, 2]]),  # float64, as Resize leaves
    'gt_bboxes_labels': np.array([4, 1, 4]),
}


def pack(**fields):
    results = {
        'img': np.zeros((4, 6, 3), dtype=np.uint8),
        'img_id': 'a',
        'img_path': 'a.jpg',
        'ori_shape': (4, 6),
        'img_shape': (4, 6),
        'num_classes': 5,
    }
    packed = PackWeakInputs().transform({**results, **fields})
    assert set(packed) == {'inputs', 'data_samples'}
    return packed['inputs'], packed['data_samples']


def test_boxes_stay_in_annotation_order_and_their_classes_are_listed_once():
    inputs, sample = pack(**BOXES, background_mask=np.ones((4, 6), dtype=np.uint8))
    assert inputs.shape == (3, 4, 6)
    assert sample.gt_instances.bboxes.dtype == torch.float32
    assert sample.gt_instances.bboxes.tolist() == BOXES['gt_bboxes'].tolist()
    assert sample.gt_instances.labels.tolist() == [4, 1, 4]
    assert sample.gt_label.tolist() == [1, 4]
    assert sample.gt_label.dtype == torch.int64
    assert sample.gt_score.tolist() == [0, 1, 0, 0, 1]
    assert sample.background_mask.data.dtype == torch.uint8
    assert sample.background_mask.shape == (4, 6)
    assert 'gt_sem_seg' not in sample


def test_boxes_lost_by_cropping_take_their_class_with_them():
    _, sample = pack(gt_bboxes=BOXES['gt_bboxes'][:1], gt_bboxes_labels=np.array([4]))
    assert sample.gt_label.tolist() == [4]


def test_no_box_left_means_no_class():
    _, sample = pack(gt_bboxes=np.zeros((0, 4)), gt_bboxes_labels=np.zeros(0, dtype=np.int64))
    assert sample.gt_label.tolist() == []
    assert sample.gt_score.tolist() == [0] * 5
    assert sample.gt_instances.bboxes.shape == (0, 4)


def test_an_affinity_label_keeps_its_own_grid():
    _, sample = pack(affinity_label=np.array([[0, 5, 255], [1, 1, 1]], dtype=np.uint8))
    assert sample.affinity_label.data.dtype == torch.uint8
    assert sample.affinity_label.data.tolist() == [[[0, 5, 255], [1, 1, 1]]]


def test_tags_are_those_of_the_image():
    _, sample = pack(gt_label=np.array([0, 3]))
    assert sample.gt_label.tolist() == [0, 3]
    assert sample.gt_score.tolist() == [1, 0, 0, 1, 0]
    assert 'gt_instances' not in sample
    assert 'background_mask' not in sample


def test_label_maps_are_packed_as_int64():
    label = np.arange(24, dtype=np.uint8).reshape(4, 6)
    _, sample = pack(gt_seg_map=label, gt_seg_map_aux=label[:, ::-1])
    assert sample.gt_sem_seg.data.tolist() == [label.tolist()]
    assert sample.gt_sem_seg_aux.data.tolist() == [label[:, ::-1].tolist()]
    assert sample.gt_sem_seg_aux.data.dtype == torch.int64
    assert 'gt_label' not in sample


def test_meta_information_has_the_image_id():
    _, sample = pack()
    assert (sample.img_id, sample.img_path, sample.ori_shape) == ('a', 'a.jpg', (4, 6))


def test_no_field_shares_memory_with_the_loaded_boxes():
    boxes = np.array([[1, 1, 3, 4]], dtype=np.float64)
    _, sample = pack(gt_bboxes=boxes, gt_bboxes_labels=np.array([0]))
    boxes[:] = 0
    assert sample.gt_instances.bboxes.tolist() == [[1, 1, 3, 4]]


@pytest.fixture
def multi_scale():
    views = [
        [
            {'type': 'Resize', 'scale_factor': 1.0},
            {'type': 'Resize', 'scale_factor': 2.0},
        ],
        [{'type': 'RandomFlip', 'prob': 0.0}, {'type': 'RandomFlip', 'prob': 1.0}],
    ]

    return [
        {'type': 'LoadImage'},
        {'type': 'LoadWeakAnnotations'},
        {'type': 'TestTimeAug', 'transforms': [*views, [{'type': 'PackWeakInputs'}]]},
    ]


def views_of(voc, pipeline):
    voc.add('a', ('dog', (1, 2, 4, 6)))
    dataset = DATASETS.build(
        {
            'type': 'VOCWeakDataset',
            'data_root': str(voc.root),
            'ann_file': 'lists/train.txt',
            'pipeline': pipeline,
            'test_mode': True,
        }
    )
    return dataset[0]['data_samples']


def test_boxes_follow_every_view(voc, multi_scale):
    samples = views_of(voc, multi_scale)
    boxes = [sample.gt_instances.bboxes.tolist()[0] for sample in samples]
    assert boxes == [[1, 2, 4, 6], [6, 2, 9, 6], [2, 4, 8, 12], [12, 4, 18, 12]]
    assert [sample.background_mask.shape for sample in samples] == [(8, 10)] * 2 + [(16, 20)] * 2
    assert [sample.flip for sample in samples] == [False, True, False, True]


def test_it_is_registered():
    assert isinstance(TRANSFORMS.build({'type': 'PackWeakInputs'}), PackWeakInputs)
