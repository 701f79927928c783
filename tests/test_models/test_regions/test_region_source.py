import pytest
import torch
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.models.regions import RegionSource, region_embeddings
from mmwsss.models.regions.embeddings import mean_threshold_regions
from mmwsss.structures import CAMOutputs

K, C = 3, 6
TAGS = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
SAMPLES = [SegDataSample(gt_score=tags, gt_label=tags.nonzero().squeeze(1)) for tags in TAGS]
LABELS = [sample.gt_label for sample in SAMPLES]


@pytest.fixture
def outputs(rng):
    """Two images; the parts differ from what the head scored."""
    score_map = torch.randn(2, K, 4, 5, generator=rng)
    parts = dict(
        coarse_map=torch.randn(2, K, 4, 5, generator=rng),
        local_feats=torch.randn(2, C, 4, 5, generator=rng),
        region_weights=torch.rand(2, K, 4, 5, generator=rng),
    )
    feats = torch.randn(2, C, 4, 5, generator=rng)
    return CAMOutputs(feats, score_map, score_map.mean(dim=(2, 3)), parts=parts)


def test_every_head_has_what_the_defaults_need(outputs):
    source = RegionSource(K, C)
    assert source.requires == ()
    assert source.features(outputs) is outputs.feats
    expected = mean_threshold_regions(outputs.score_map, TAGS)
    assert_close(source.weights(outputs, SAMPLES), expected)


def test_the_coarse_map_and_the_features_before_the_context(outputs):
    source = RegionSource(K, C, regions='coarse_map', feats='local_feats')
    assert source.requires == ('coarse_map', 'local_feats')
    assert source.features(outputs) is outputs.parts['local_feats']
    expected = mean_threshold_regions(outputs.parts['coarse_map'], TAGS)
    assert_close(source.weights(outputs, SAMPLES), expected)


def test_regions_of_a_pooling_are_used_as_they_are(outputs):
    source = RegionSource(K, C, regions='region_weights')
    assert source.requires == ('region_weights',)
    assert source.weights(outputs, SAMPLES) is outputs.parts['region_weights']


def test_a_background_channel_does_not_change_the_regions(outputs):
    source = RegionSource(K, C)
    expected = source.weights(outputs, SAMPLES)
    outputs.score_map = torch.cat([torch.zeros(2, 1, 4, 5), outputs.score_map], dim=1)
    assert_close(source.weights(outputs, SAMPLES), expected)


def scores_of(source, outputs):
    weights = source.weights(outputs, SAMPLES)
    regions = region_embeddings(outputs.feats, weights, LABELS)
    return source.scores(outputs, weights, LABELS, regions)


def test_a_region_has_the_probability_of_its_class_in_the_image(outputs):
    logits = outputs.logits
    expected = torch.stack([logits[0, 0], logits[0, 1], logits[1, 2]]).sigmoid()
    assert_close(scores_of(RegionSource(K, C), outputs), expected)


def test_with_background_a_region_has_its_own_probability(outputs):
    # One position per region, where its class and background have the same score.
    weights = torch.zeros(2, K, 4, 5)
    weights[0, 0, 0, 0] = weights[0, 1, 1, 1] = weights[1, 2, 2, 2] = 1
    outputs.parts['region_weights'] = weights
    outputs.score_map = torch.full((2, 1 + K, 4, 5), -50.0)
    outputs.score_map[:, 0] = 0
    outputs.score_map[0, 1, 0, 0] = outputs.score_map[0, 2, 1, 1] = 0
    outputs.score_map[1, 3, 2, 2] = 0
    found = scores_of(RegionSource(K, C, regions='region_weights'), outputs)
    assert_close(found, torch.full((3,), 0.5))


def test_features_of_other_channels_are_refused(outputs):
    with pytest.raises(ValueError, match=r"'feats' with 5 channels, got 6. Set `channels`"):
        RegionSource(K, 5).features(outputs)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(regions='cam'), "`regions` to be one of .*'cam'"),
        (dict(feats='x'), "`feats` to be one of .*'x'"),
    ],
)
def test_unknown_choices_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RegionSource(K, C, **options)
