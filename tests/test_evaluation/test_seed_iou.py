import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.evaluation import SeedIoUWithGroundTruth, mean_iou, seed_confusions, seed_histogram
from mmwsss.registry import METRICS

CLASSES = ('background', 'a', 'b', 'c')


def make_sample(cams, cam_label, mask):
    sample = SegDataSample()
    sample.cams, sample.cam_label = cams, torch.as_tensor(cam_label, dtype=torch.long)
    sample.gt_sem_seg = PixelData(data=mask.unsqueeze(0))
    return sample


def random_sample(rng, size=(6, 5), cam_label=(0, 2)):
    cams = torch.rand(len(cam_label), *size, generator=rng) ** 2
    mask = torch.randint(4, size, generator=rng)
    mask[0, :2] = 255
    return make_sample(cams, cam_label, mask)


def build():
    metric = METRICS.build({'type': 'SeedIoUWithGroundTruth'})
    metric.dataset_meta = {'classes': CLASSES}
    return metric


def slow_miou(samples, threshold):
    """One threshold and one image at a time, with whole label maps."""
    hits, union = np.zeros(4), np.zeros(4)
    for sample in samples:
        mask = sample.gt_sem_seg.data[0].numpy()
        seed = np.zeros(mask.shape, dtype=int)
        best = np.full(mask.shape, np.float32(threshold))
        for cam, label in zip(sample.cams.numpy(), sample.cam_label.tolist(), strict=True):
            cam = cam / (cam.max() + np.float32(1e-5))
            seed[cam > best] = label + 1
            best = np.maximum(best, cam)
        for label in range(4):
            found, true = (seed == label) & (mask != 255), mask == label
            hits[label] += (found & true).sum()
            union[label] += (found | true).sum()
    return 100 * np.nanmean(np.where(union > 0, hits / np.maximum(union, 1), np.nan))


def test_one_row_of_four_pixels_by_hand():
    cams = torch.tensor([[[1.0, 0.6, 0.3, 0.0]]])
    mask = torch.tensor([[1, 1, 0, 0]])
    histogram = seed_histogram(
        cams, torch.tensor([0]), mask, thresholds=torch.tensor([0.1, 0.5]), num_classes=1
    )
    confusions = seed_confusions(histogram)
    # at 0.1 three pixels are foreground, at 0.5 the right two
    assert confusions.tolist() == [[[1, 0], [1, 2]], [[2, 0], [0, 2]]]
    assert_close(mean_iou(confusions).float(), torch.tensor([(50 + 200 / 3) / 2, 100.0]))


def test_all_thresholds_at_once_equal_the_loop(rng):
    samples = [random_sample(rng), random_sample(rng, (4, 7), (1,)), random_sample(rng)]
    metric = build()
    for sample in samples:
        metric.process({}, [sample.to_dict()])
    curve = [slow_miou(samples, threshold) for threshold in metric.thresholds.tolist()]
    result = metric.evaluate(size=len(samples))
    assert_close(result['seed/mIoU'], max(curve))
    assert_close(result['seed/threshold'], metric.thresholds[int(np.argmax(curve))].item())


def test_an_activation_at_the_threshold_is_background():
    histogram = seed_histogram(
        torch.full((1, 1, 1), 0.0),
        torch.tensor([0]),
        torch.zeros(1, 1, dtype=torch.long),
        thresholds=torch.tensor([0.0]),
        num_classes=1,
    )
    assert seed_confusions(histogram).tolist() == [[[1, 0], [0, 0]]]


def test_an_image_without_any_class_is_all_background():
    metric = build()
    mask = torch.tensor([[0, 0, 1]])
    metric.process({}, [make_sample(torch.zeros(0, 1, 3), [], mask).to_dict()])
    result = metric.evaluate(size=1)
    assert_close(result['seed/mIoU'], 100 * (2 / 3 + 0) / 2)


def test_an_image_with_only_ignored_pixels_changes_nothing(rng):
    sample, empty = random_sample(rng), random_sample(rng)
    empty.gt_sem_seg.data.fill_(255)
    results = []
    for batch in ([sample], [sample, empty]):
        metric = build()
        metric.process({}, [one.to_dict() for one in batch])
        results.append(metric.evaluate(size=len(batch)))
    assert results[0] == results[1]


@pytest.mark.parametrize('number', [1, 5])
def test_two_ranks_count_the_images_that_fill_the_last_rank_once(number, rng, on_two_ranks):
    samples = [random_sample(rng) for _ in range(number)]
    metric = build()
    metric.process({}, [sample.to_dict() for sample in samples])
    expected = metric.evaluate(size=number)

    def on_rank(rank):
        metric = build()
        sampler = DefaultSampler(samples, shuffle=False)
        for index in sampler:
            metric.process({}, [samples[index].to_dict()])
        return len(sampler), metric.evaluate(size=number)

    assert on_two_ranks(on_rank) == [(-(-number // 2), expected)] * 2


def test_a_second_evaluation_starts_from_nothing(rng):
    samples, metric, found = [random_sample(rng) for _ in range(2)], build(), []
    for sample in [*samples, samples[0]]:
        metric.process({}, [sample.to_dict()])
        found.append(metric.evaluate(size=1))
    assert found[0] == found[2] != found[1]


def test_what_is_kept_does_not_grow_with_the_number_of_images(rng):
    metric, sizes = build(), []
    for _ in range(4):
        metric.process({}, [random_sample(rng).to_dict()] * 5)
        sizes.append(len(pickle.dumps(vars(metric))))
    assert sizes[1:] == sizes[1:2] * 3


def test_maps_of_another_size_than_the_mask_are_explained(rng):
    sample = random_sample(rng)
    sample.cams = sample.cams[:, :3]
    with pytest.raises(ValueError, match='keep the original size'):
        build().process({}, [sample.to_dict()])


def test_the_thresholds_are_hundredths():
    thresholds = SeedIoUWithGroundTruth().thresholds
    assert_close(thresholds[[0, 1, 99]], torch.tensor([0.0, 0.01, 0.99]))


def test_the_metric_of_mmseg_is_found_under_its_plain_name():
    assert type(METRICS.build({'type': 'IoUMetric'})).__module__.startswith('mmseg')
