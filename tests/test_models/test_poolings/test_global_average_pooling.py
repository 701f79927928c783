import pytest
import torch
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.registry import MODELS


def test_logits_are_spatial_means_and_targets_the_tags():
    sample = SegDataSample()
    sample.gt_score = torch.tensor([1.0, 0.0])
    score_map = torch.tensor([[[[1.0, 3.0]], [[-2.0, 0.0]]]])
    pooled = MODELS.build({'type': 'GlobalAveragePooling'})(score_map, score_map, [sample])
    assert pooled.logits.tolist() == [[2, -1]]
    assert pooled.targets.tolist() == [[1, 0]]


def test_without_samples_there_are_no_targets():
    score_map = torch.zeros(2, 3, 4, 5)
    pooled = MODELS.build({'type': 'GlobalAveragePooling'})(score_map, score_map)
    assert pooled.logits.shape == (2, 3)
    assert pooled.targets is None


def test_image_scores_are_independent_probabilities():
    score_map = torch.tensor([[[[0.0]], [[3.0]]]]).log1p()
    scores = MODELS.build({'type': 'GlobalAveragePooling'}).image_scores(score_map)
    assert_close(scores, torch.tensor([[0.5, 0.8]]))


def test_missing_tags_are_explained():
    score_map = torch.zeros(1, 3, 4, 5)
    with pytest.raises(ValueError, match='gt_score'):
        MODELS.build({'type': 'GlobalAveragePooling'})(score_map, score_map, [SegDataSample()])
