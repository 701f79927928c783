import pytest
import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.testing import assert_close

from mmwsss.cams import MultiScaleCAM
from mmwsss.models.classifiers.cam_classifier import annotations_to_original
from mmwsss.models.classifiers.filled_boxes import filled_boxes
from mmwsss.registry import MODELS
from mmwsss.structures import Objective, UserInputError


@MODELS.register_module()
class TwoConvBackbone(BaseModule):
    """Stride-2 features of a test image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, images):
        return (self.conv(images).relu(),)


@MODELS.register_module()
class GivenFeatures(BaseModule):
    """Features of a reference file, whatever the image."""

    def forward(self, images):
        return (self.feats,)


@MODELS.register_module()
class ObjectiveThatNeedsAThreshold(Objective):
    requires = ('threshold_map',)

    def forward(self, outputs, data_samples, encode):
        raise NotImplementedError


THRESHOLD = dict(required_fields=frozenset({'threshold_logit'}))


def classifier_config(**changes):
    return dict(
        type='CAMClassifier',
        backbone=dict(type='TwoConvBackbone'),
        head=dict(
            type='CAMHead',
            in_channels=8,
            num_classes=3,
            pooling=dict(type='GlobalAveragePooling'),
        ),
        objectives=[dict(type='MultiLabelSoftMargin')],
        **changes,
    )


def tagged_sample(classes, *, size=(8, 8), **meta):
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size, **meta))
    sample.gt_label = torch.tensor(classes)
    sample.gt_score = torch.zeros(3).index_fill(0, sample.gt_label, 1.0)
    return sample


def test_loss_is_the_multi_label_soft_margin_of_the_mean_scores():
    torch.manual_seed(0)
    model = MODELS.build(classifier_config())
    images = torch.randn(2, 3, 8, 8)
    samples = [tagged_sample([0]), tagged_sample([1, 2])]
    losses = model(images, samples, mode='loss')
    logits = model.head.classifier(model.backbone(images)[0]).mean(dim=(2, 3))
    targets = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    expected = nn.functional.multilabel_soft_margin_loss(logits, targets)
    (loss,) = losses.values()
    assert_close(loss, expected)


def test_prediction_has_one_map_a_present_class_at_the_original_size():
    model = MODELS.build(classifier_config()).eval()
    sample = tagged_sample([0, 2], size=(11, 7))
    (predicted,) = model(torch.randn(1, 3, 8, 8), [sample], mode='predict')
    assert predicted.cams.shape == (2, 11, 7)
    assert predicted.cam_label.tolist() == [0, 2]
    assert predicted.pred_score.shape == (3,)
    assert predicted.cams.min() >= 0


def test_without_the_image_label_all_classes_have_a_map():
    model = MODELS.build(classifier_config(use_image_label=False)).eval()
    (predicted,) = model(torch.randn(1, 3, 8, 8), [tagged_sample([1])], mode='predict')
    assert predicted.cam_label.tolist() == [0, 1, 2]


@pytest.mark.parametrize(('net', 'square_root'), [('resnet38', False), ('vgg16', True)])
def test_logits_and_maps_equal_the_oracle(oracle, monkeypatch, net, square_root):
    arrays = {
        key.removeprefix(f'{net}_'): torch.from_numpy(value)
        for key, value in oracle('psa_heads').items()
        if key.startswith(net)
    }
    feats = arrays['feat']
    head = dict(
        type='CAMHead',
        in_channels=feats.shape[1],
        num_classes=len(arrays['weight']),
        pooling=dict(type='GlobalAveragePooling'),
        dropout=0.5,
    )
    config = {**classifier_config(square_root=square_root), 'head': head}
    model = MODELS.build(config).eval()
    model.head.classifier.weight.data.copy_(arrays['weight'])
    monkeypatch.setattr(model.backbone, 'forward', lambda images: (feats,))
    samples = [SegDataSample(metainfo=dict(ori_shape=tuple(feats.shape[2:]))) for _ in feats]

    with torch.no_grad():
        predictions = model.predict(feats, samples)
        logits = model.encode(feats).logits
    maps = torch.stack([sample.cams for sample in predictions])
    assert_close(logits, arrays['logits'], rtol=0, atol=5e-6)
    if square_root:  # which amplifies values close to 0
        maps, arrays['cam'] = maps.square(), arrays['cam'].square()
    assert_close(maps, arrays['cam'], rtol=0, atol=5e-6)


@pytest.mark.parametrize(('multiple', 'name'), [(16, 'high_res'), (1, 'strided')])
def test_maps_of_four_scales_and_their_mirror_images_equal_the_oracle(cases_of, multiple, name):
    for case in cases_of('irn_cam'):
        height, width = case['image_size'].tolist()
        size = (height, width) if name == 'high_res' else tuple(case['strided'].shape[1:])
        weight = case['classifier']
        config = classifier_config(flip=True, resize_multiple=multiple)
        config['backbone'] = dict(type='GivenFeatures')
        config['head'].update(num_classes=len(weight), in_channels=weight.shape[1])
        model = MultiScaleCAM(MODELS.build(config))
        model.module.head.classifier.weight.data.copy_(weight)
        views = []
        for scale in range(4):
            model.module.backbone.feats = case[f'feats{scale}']
            sample = SegDataSample(metainfo=dict(ori_shape=size))
            sample.gt_label = case['class_ids']
            with torch.no_grad():
                views += model.module.predict(torch.empty(1, 3, 1, 1), [sample])
        (merged,) = model.merge_preds([tuple(views)])
        assert_close(merged.cams, case[name], rtol=0, atol=2e-6)


def test_square_root_of_maps_that_are_cut_after_the_resize_is_an_error_at_construction():
    with pytest.raises(ValueError, match='square_root expects'):
        MODELS.build(classifier_config(square_root=True, rectify='after_resize'))


def test_flip_makes_the_maps_of_a_mirrored_image_mirrored():
    torch.manual_seed(0)
    model = MODELS.build(classifier_config(flip=True)).eval()
    image = torch.randn(1, 3, 8, 8)
    (one,) = model(image, [tagged_sample([0, 1])], mode='predict')
    (two,) = model(image.flip(-1), [tagged_sample([0, 1])], mode='predict')
    assert_close(one.cams, two.cams.flip(-1))


def test_a_flipped_view_gives_maps_of_the_unflipped_image():
    torch.manual_seed(0)
    model = MODELS.build(classifier_config()).eval()
    image = torch.randn(1, 3, 8, 8)
    (plain,) = model(image, [tagged_sample([0])], mode='predict')
    (flipped,) = model(image, [tagged_sample([0], flip=True)], mode='predict')
    assert_close(flipped.cams, plain.cams.flip(-1))


def test_features_are_kept_only_when_asked_for():
    model = MODELS.build(classifier_config()).eval()
    (plain,) = model(torch.randn(1, 3, 8, 8), [tagged_sample([0])], mode='predict')
    assert 'feats' not in plain
    asking = tagged_sample([0], required_fields=frozenset({'feats', 'class_weights'}))
    (kept,) = model(torch.randn(1, 3, 8, 8), [asking], mode='predict')
    assert kept.feats.shape == (8, 4, 4)
    assert kept.class_weights.shape == (3, 8)


def test_a_missing_part_is_an_error_at_construction():
    config = classifier_config()
    config['objectives'] = [dict(type='ObjectiveThatNeedsAThreshold')]
    with pytest.raises(ValueError, match=r"requires \['threshold_map'\]"):
        MODELS.build(config)


def test_annotations_return_to_the_original_image():
    sample = SegDataSample(
        metainfo=dict(ori_shape=(4, 10), img_shape=(8, 20), scale_factor=(2.0, 2.0), flip=True)
    )
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[2.0, 4.0, 6.0, 8.0]]))
    mask = torch.zeros(1, 8, 20, dtype=torch.uint8)
    mask[..., :4] = 1
    sample.background_mask = PixelData(data=mask)
    annotations_to_original(sample)
    assert sample.gt_instances.bboxes.tolist() == [[7.0, 2.0, 9.0, 4.0]]
    assert sample.background_mask.data.shape == (1, 4, 10)
    assert sample.background_mask.data[0, 0].tolist() == [0] * 8 + [1] * 2


def test_filled_boxes_give_an_overlap_to_the_smaller_box():
    boxes = torch.tensor([[0.0, 0.0, 4.0, 2.0], [1.0, 0.0, 2.0, 1.0]])
    maps = filled_boxes(boxes, torch.tensor([5, 3]), torch.tensor([3, 5]), (2, 5))
    assert maps[0].tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert maps[1].tolist() == [[1, 0, 1, 1, 0], [1, 1, 1, 1, 0]]


def test_no_box_fills_nothing():
    empty = torch.zeros(0, dtype=torch.long)
    assert filled_boxes(torch.zeros(0, 4), empty, empty, (2, 3)).shape == (0, 2, 3)


def threshold_config(**changes):
    config = classifier_config(rectify='never', **changes)
    config['head'].update(
        in_channels=4,
        context=dict(type='ThresholdBranch', in_channels=8, num_classes=3, channels=4),
    )
    return config


def predict(model, image, **meta):
    size = tuple(image.shape[-2:])
    sample = tagged_sample([0, 2], **{'size': size, **meta})
    return model(image, [sample], mode='predict')[0]


def test_raw_maps_are_resized_scores_of_both_signs():
    torch.manual_seed(0)
    model = MODELS.build(threshold_config()).eval()
    image = torch.randn(1, 3, 8, 8)
    found = predict(model, image, size=(11, 7)).cams
    scores = model.encode(image).score_map[:, [0, 2]]
    expected = nn.functional.interpolate(scores, (11, 7), mode='bilinear')[0]
    assert_close(found, expected)
    assert found.min() < 0 < found.max()


@pytest.mark.parametrize('flip', [False, True])
def test_thresholds_are_means_over_the_pixels_of_the_original_image(flip):
    torch.manual_seed(0)
    model = MODELS.build(threshold_config(flip=flip)).eval()
    assert 'threshold_logit' not in predict(model, torch.randn(1, 3, 8, 8))
    images = torch.randn(2, 3, 8, 8)
    fields = frozenset({'threshold_logit', 'log_temperature'})
    samples = [tagged_sample([0], size=(11, 7), required_fields=fields) for _ in images]
    predicted = model(images, samples, mode='predict')
    for image, sample in zip(images, predicted, strict=True):
        views = torch.stack([image, image.flip(-1)] if flip else [image])
        maps = model.encode(views).parts['threshold_map']
        resized = nn.functional.interpolate(maps, (11, 7), mode='bilinear')
        assert_close(sample.threshold_logit, resized.mean(dim=(0, 2, 3)))
        assert_close(sample.log_temperature, torch.full((3,), 10.0).log())


def test_a_flipped_view_has_the_threshold_of_its_map():
    torch.manual_seed(0)
    model = MODELS.build(threshold_config()).eval()
    image = torch.randn(1, 3, 8, 8)
    plain, flipped = (
        predict(model, image, size=(11, 7), **THRESHOLD),
        predict(model, image, size=(11, 7), flip=True, **THRESHOLD),
    )
    assert_close(flipped.threshold_logit, plain.threshold_logit)


def test_thresholds_of_a_head_without_them_are_an_error_that_names_the_context():
    model = MODELS.build(classifier_config()).eval()
    with pytest.raises(UserInputError, match=r"context=dict\(type='ThresholdBranch'"):
        predict(model, torch.randn(1, 3, 8, 8), **THRESHOLD)


@pytest.mark.parametrize(
    ('rectify', 'merge'), [('never', 'sum_normalize'), ('before_resize', 'mean_sigmoid')]
)
def test_maps_and_their_merging_must_fit(rectify, merge):
    config = classifier_config(rectify=rectify)
    with pytest.raises(ValueError, match=f"merge='{merge}' does not match rectify='{rectify}'"):
        MODELS.build(dict(type='MultiScaleCAM', module=config, merge=merge))


def test_a_mirror_image_in_the_batch_weighs_as_much_as_one_among_the_views():
    torch.manual_seed(0)
    together = MODELS.build(
        dict(type='MultiScaleCAM', module=threshold_config(flip=True), merge='mean_sigmoid')
    ).eval()
    apart = MODELS.build(
        dict(type='MultiScaleCAM', module=threshold_config(), merge='mean_sigmoid')
    ).eval()
    apart.load_state_dict(together.state_dict())
    image = torch.randn(1, 3, 8, 8)
    (first,) = together.merge_preds([(predict(together.module, image, **THRESHOLD),)])
    views = (
        predict(apart.module, image, **THRESHOLD),
        predict(apart.module, image.flip(-1), flip=True, **THRESHOLD),
    )
    (second,) = apart.merge_preds([views])
    assert_close(first.cams, second.cams)
    assert_close(first.threshold_logit, second.threshold_logit)


@MODELS.register_module()
class CellBackbone(BaseModule):
    """Mean of every cell of 8 x 8 pixels."""

    def forward(self, images):
        return (nn.functional.avg_pool2d(images, 8),)


def cell_classifier(**changes):
    """The first channel of the image is the score of class 0, the second that of class 1, ..."""
    head = dict(
        type='CAMHead', in_channels=3, num_classes=3, pooling=dict(type='GlobalAveragePooling')
    )
    preprocessor = dict(type='WeakSegDataPreProcessor', test_cfg=dict(size_divisor=32))
    model = MODELS.build(
        dict(
            classifier_config(**changes),
            backbone=dict(type='CellBackbone'),
            head=head,
            data_preprocessor=preprocessor,
        )
    )
    model.head.classifier.weight.data = torch.eye(3)[..., None, None]
    return model.eval()


def bright_rectangle(rows, columns, size):
    image = torch.zeros(3, *size)
    image[0, slice(*rows), slice(*columns)] = 1.0
    return image


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('sample_flip', [False, True])
def test_padding_does_not_shift_the_map_of_an_object(flip, sample_flip):
    # 328 x 200 pixels are padded to 352 x 224. The object is at the bottom right.
    image = bright_rectangle((296, 328), (160, 200), (328, 200))
    view = image.flip(-1) if sample_flip else image
    sample = tagged_sample([0], size=(328, 200), flip=sample_flip)
    data = dict(inputs=[view], data_samples=[sample])
    (predicted,) = cell_classifier(flip=flip).test_step(data)
    rows, columns = (predicted.cams[0] > 0.5 * (1 + flip)).nonzero().unbind(1)
    assert (rows.min(), rows.max()) == (296, 327)
    assert (columns.min(), columns.max()) == (160, 199)


def test_padding_changes_nothing_where_it_covers_whole_cells():
    image = torch.rand(3, 40, 72, generator=torch.Generator().manual_seed(0))
    model = cell_classifier(flip=True)
    meta = dict(size=(40, 72), required_fields=frozenset({'feats'}))
    (padded,) = model.test_step(dict(inputs=[image], data_samples=[tagged_sample([0, 2], **meta)]))
    (plain,) = model.predict(image[None], [tagged_sample([0, 2], **meta)])
    for name in ('cams', 'pred_score', 'feats'):
        assert torch.equal(padded.get(name), plain.get(name))
    assert padded.feats.shape == (3, 5, 9)


def test_images_of_a_batch_may_be_padded_differently():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    samples = [
        tagged_sample([1], size=(32, 16), img_padding_size=(0, 16, 0, 0)),
        tagged_sample([1], size=(32, 32)),
    ]
    first, second = cell_classifier().predict(images, samples)
    alone = tagged_sample([1], size=(32, 16))
    assert_close(first.cams, cell_classifier().predict(images[:1, ..., :16], [alone])[0].cams)
    whole = tagged_sample([1], size=(32, 32))
    assert_close(second.cams, cell_classifier().predict(images[1:], [whole])[0].cams)


def test_thresholds_are_those_of_the_image_without_its_padding():
    model = cell_classifier(flip=True)
    model.head.context = MODELS.build(
        dict(type='ThresholdBranch', in_channels=3, num_classes=3, channels=None)
    )
    model.head.context.threshold.weight.data = torch.eye(3)[..., None, None]
    image = torch.rand(3, 40, 72, generator=torch.Generator().manual_seed(0))
    sample = tagged_sample([0], size=(40, 72), **THRESHOLD)
    (padded,) = model.test_step(dict(inputs=[image], data_samples=[sample]))
    (plain,) = model.predict(image[None], [tagged_sample([0], size=(40, 72), **THRESHOLD)])
    assert_close(padded.threshold_logit, plain.threshold_logit)
