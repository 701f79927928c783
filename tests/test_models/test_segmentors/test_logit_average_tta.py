import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch.testing import assert_close

from mmwsss.models.segmentors import LogitAverageTTA
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import Refiner


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


def run(views, refiner=None, path='none.jpg', gt=None):
    model = MODELS.build(
        {'type': 'LogitAverageTTA', 'module': {'type': 'IdentitySegmentor'}, 'refiner': refiner}
    )
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
    logits = torch.tensor([5.0, 0.0]).view(2, 1, 1).expand(2, 2, 2)
    (merged,) = run([logits, logits], {'type': 'LastClassWhereImageIsRed'}, str(tmp_path / 'a.png'))
    assert merged.pred_sem_seg.data.tolist() == [[[1, 0], [0, 0]]]


@pytest.mark.parametrize('refiner', [None, {'type': 'LastClassWhereImageIsRed'}])
def test_the_refiner_is_optional(refiner):
    model = LogitAverageTTA({'type': 'IdentitySegmentor'}, refiner=refiner)
    assert (model.refiner is None) == (refiner is None)
