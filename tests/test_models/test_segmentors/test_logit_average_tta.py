import pickle

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch.testing import assert_close

from mmwsss.models.segmentors import LogitAverageTTA
from mmwsss.models.segmentors.logit_average_tta import finish_step
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import Refiner, UserInputError


@MODELS.register_module()
class IdentitySegmentor(BaseModel):
    """Takes the inputs as logits of the original size."""

    def forward(self, inputs, data_samples, mode='tensor'):
        for logits, sample in zip(inputs, data_samples, strict=True):
            sample.seg_logits = PixelData(data=logits)
        return data_samples


@TASK_UTILS.register_module()
class LastClassWhereImageIsRed(Refiner):
    """A refiner that can be checked by eye."""

    def refine(self, scores, image, sample):
        assert image.dtype == np.uint8
        red = torch.from_numpy(image[..., 0] > 128)
        refined = scores.clone()
        refined[-1][red] = 2.0
        return refined


@TASK_UTILS.register_module()
class KeepsWhatItSees(Refiner):
    seen = None

    def refine(self, scores, image, sample):
        KeepsWhatItSees.seen = scores
        return scores


def build(refiner=None, **options):
    module = {'type': 'IdentitySegmentor'}
    return MODELS.build(
        {'type': 'LogitAverageTTA', 'module': module, 'refiner': refiner, **options}
    )


def run(views, refiner=None, path='none.jpg', gt=None, **options):
    model = build(refiner, **options)
    samples = [SegDataSample(metainfo={'img_path': path}) for _ in views]
    if gt is not None:
        samples[0].gt_sem_seg = PixelData(data=gt)
    batch = {'inputs': [[view] for view in views], 'data_samples': [[s] for s in samples]}
    return model.test_step(batch)


def test_logits_are_averaged_not_probabilities():
    views = [torch.tensor([[[x]], [[0.0]]]) for x in (4.0, -1.5, -1.5)]
    assert torch.stack(views).softmax(1).mean(0).argmax(0) == 1
    (merged,) = run(views)
    assert merged.pred_sem_seg.data.tolist() == [[[0]]]
    assert_close(merged.seg_logits.data.flatten(), torch.tensor([1.0 / 3, 0.0]))


def test_one_view_is_a_plain_prediction(rng):
    logits = torch.randn(4, 3, 5, generator=rng)
    (merged,) = run([logits])
    assert_close(merged.pred_sem_seg.data, logits.argmax(0, keepdim=True))


def test_the_truth_stays_with_the_merged_sample(rng):
    gt = torch.ones(1, 3, 5, dtype=torch.long)
    (merged,) = run([torch.randn(4, 3, 5, generator=rng)] * 2, gt=gt)
    assert_close(merged.gt_sem_seg.data, gt)


def test_the_refiner_sees_the_image_in_rgb(tmp_path):
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[0, 0, 0], image[1, 1, 2] = 255, 255  # one red pixel, one blue one
    Image.fromarray(image).save(tmp_path / 'a.png')
    logits = torch.tensor([4.0, 0.0]).view(2, 1, 1).expand(2, 2, 2)
    (merged,) = run([logits, logits], {'type': 'LastClassWhereImageIsRed'}, str(tmp_path / 'a.png'))
    assert merged.pred_sem_seg.data.tolist() == [[[1, 0], [0, 0]]]


@pytest.mark.parametrize('refiner', [None, {'type': 'LastClassWhereImageIsRed'}])
def test_the_refiner_is_optional(refiner):
    model = LogitAverageTTA({'type': 'IdentitySegmentor'}, refiner=refiner)
    assert (model.refiner is None) == (refiner is None)


@pytest.fixture
def grey(tmp_path):
    """Path of an image of 24 x 40 pixels."""
    path = tmp_path / 'grey.png'
    Image.fromarray(np.random.default_rng(0).integers(99, 120, (24, 40, 3), np.uint8)).save(path)
    return str(path)


def test_classes_of_negligible_probability_are_not_refined_and_keep_their_numbers(grey):
    # The first class is negligible everywhere but stays, as the background; the last has one pixel.
    logits = torch.tensor([-9.0, 0.0, -9.0, 2.0, -9.0]).view(5, 1, 1).repeat(1, 24, 40)
    logits[4, 0, 0] = 0.0
    (merged,) = run([logits], {'type': 'KeepsWhatItSees'}, grey)
    assert_close(KeepsWhatItSees.seen, logits.softmax(0)[[0, 1, 3, 4]])
    assert merged.pred_sem_seg.data.unique().tolist() == [3]
    run([logits], {'type': 'KeepsWhatItSees'}, grey, negligible=0)
    assert_close(KeepsWhatItSees.seen, logits.softmax(0))


@pytest.mark.parametrize('negligible', [-0.1, 1])
def test_a_threshold_that_is_not_a_probability_below_one_is_refused(negligible):
    with pytest.raises(UserInputError, match='negligible must be'):
        build(negligible=negligible)


def test_a_crf_of_the_noticeable_classes_gives_nearly_the_labels_of_one_of_all(grey, rng):
    pytest.importorskip('pydensecrf')
    logits = torch.randn(21, 24, 40, generator=rng)
    logits[6:] -= 10
    crf = {'type': 'DenseCRF', 'bilateral_weight': 4, 'bilateral_xy': 121, 'bilateral_rgb': 5}
    some, every = (run([logits.clone()], crf, grey, negligible=n)[0] for n in (0.01, 0))
    agree = some.pred_sem_seg.data == every.pred_sem_seg.data
    assert agree.float().mean() > 0.999


def test_the_label_job_of_another_process_makes_the_label_of_a_step(grey, rng):
    pytest.importorskip('pydensecrf')
    model = build({'type': 'DenseCRF'})
    logits = 3 * torch.randn(5, 24, 40, generator=rng)
    batches = [
        {'inputs': [[logits]], 'data_samples': [[SegDataSample(metainfo={'img_path': grey})]]}
        for _ in range(2)
    ]
    (done,) = model.test_step(batches[0])
    samples, (job,) = model.start_step(batches[1])
    assert 'pred_sem_seg' not in samples[0]
    label = pickle.loads(pickle.dumps(job))()
    assert label.dtype == np.uint8
    finish_step(samples, [label])
    assert torch.equal(samples[0].pred_sem_seg.data, done.pred_sem_seg.data)
    assert samples[0].pred_sem_seg.data.dtype == done.pred_sem_seg.data.dtype
