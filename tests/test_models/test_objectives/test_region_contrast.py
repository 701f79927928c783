import pytest
import torch
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import nn
from torch.testing import assert_close

from mmwsss.models.losses.region_contrast_loss import mixup_contrast
from mmwsss.models.regions.embeddings import mean_threshold_regions, region_embeddings
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, UserInputError, multi_hot

K, C = 3, 6


@MODELS.register_module()
class HalfSizeBackbone(BaseModule):
    """Stride-2 features of a test image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, C, 3, stride=2, padding=1, bias=False)

    def forward(self, images):
        return (self.conv(images).relu(),)


def tagged(*classes, img_id='a'):
    sample = SegDataSample(metainfo=dict(img_id=img_id))
    sample.gt_label = torch.tensor(classes, dtype=torch.long)
    sample.gt_score = multi_hot(sample.gt_label, K)
    return sample


def objective(*, score_threshold=0.0, **options):
    torch.manual_seed(0)
    memory = dict(slots=4, score_threshold=score_threshold)
    config = dict(type='RegionContrast', num_classes=K, channels=C, memory=memory, **options)
    return MODELS.build(config)


def outputs_of(num_images, rng, *, background=False):
    feats = torch.randn(num_images, C, 4, 5, generator=rng).requires_grad_()
    score_map = torch.randn(num_images, K + background, 4, 5, generator=rng)
    return CAMOutputs(feats, score_map, score_map.mean(dim=(2, 3)))


def loss_of(built, outputs, samples):
    return built(outputs, samples, None)['loss_region_contrast']


def fill(built, rng, classes=range(K)):
    for label in classes:
        built.memory.slots[label, :2] = torch.randn(2, C, generator=rng)
        built.memory.filled[label, :2] = True


def fixed_partners(built, monkeypatch, partners, shares):
    drawn = torch.tensor(partners), torch.tensor(shares)
    monkeypatch.setattr(built.contrast, 'draw_partners', lambda regions: drawn)


def test_the_loss_is_the_mean_over_images_of_their_mean_over_regions(rng, monkeypatch):
    built = objective(loss_weight=0.5)
    fill(built, rng)
    outputs, samples = outputs_of(3, rng), [tagged(0, 2), tagged(), tagged(1)]
    fixed_partners(built, monkeypatch, [2, 2, 0], [0.6, 0.3, 0.5])
    weights = mean_threshold_regions(outputs.score_map, torch.stack([s.gt_score for s in samples]))
    regions = region_embeddings(outputs.feats, weights, [s.gt_label for s in samples])
    per_region, _ = mixup_contrast(
        regions.embeddings,
        regions.classes,
        regions.valid,
        torch.tensor([2, 2, 0]),
        torch.tensor([0.6, 0.3, 0.5]),
        built.memory.slots,
        built.memory.filled,
    )
    expected = 0.5 * ((per_region[0] + per_region[1]) / 2 + per_region[2]) / 2
    assert_close(loss_of(built, outputs, samples), expected)


def test_the_published_loss_of_the_oracle(oracle, cases_of, monkeypatch):
    arrays = oracle('rca_contrast')
    for case in cases_of('rca_contrast'):
        num_classes, slots, channels = case['memory'].shape
        built = MODELS.build(
            dict(
                type='RegionContrast',
                num_classes=num_classes,
                channels=channels,
                regions='coarse_map',
                feats='local_feats',
                memory=dict(slots=slots, official=True),
                contrast=dict(
                    temperature=float(arrays['temperature']),
                    floor=float(arrays['floor']),
                    partner='any',
                ),
                loss_weight=float(len(case['mid'])),  # a mean here, a sum there
            )
        )
        built.memory.slots.copy_(case['memory'])
        regions = list(
            zip(case['region_image'].tolist(), case['region_class'].tolist(), strict=True)
        )
        wanted = zip(case['partner_image'].tolist(), case['partner_class'].tolist(), strict=True)
        drawn = torch.tensor([regions.index(pair) for pair in wanted]), case['lam']
        monkeypatch.setattr(built.contrast, 'draw_partners', lambda regions, drawn=drawn: drawn)
        samples = []
        for tags in case['label']:
            samples.append(SegDataSample(gt_score=tags, gt_label=tags.nonzero().squeeze(1)))
        feats = case['mid'].requires_grad_()
        parts = dict(coarse_map=case['coarse_map'], local_feats=feats)
        logits = case['coarse_map'].mean(dim=(2, 3))
        outputs = CAMOutputs(torch.zeros(1), case['coarse_map'], logits, parts=parts)
        loss = loss_of(built, outputs, samples)
        loss.backward()
        assert_close(loss, case['loss'], rtol=1e-6, atol=0)
        assert_close(feats.grad, case['grad_mid'], rtol=0, atol=1e-5 * case['grad_mid'].abs().max())


@pytest.mark.parametrize('index', [0, 1])
def test_the_published_memory_of_the_oracle(oracle, index):
    arrays = oracle('rca_memory')
    get = lambda key: torch.from_numpy(arrays[f'c{index}_{key}'])  # noqa: E731
    num_classes, slots, channels = get('memory_before').shape
    built = MODELS.build(
        dict(
            type='RegionContrast',
            num_classes=num_classes,
            channels=channels,
            regions='coarse_map',
            feats='local_feats',
            memory=dict(
                slots=slots,
                momentum=float(arrays['momentum']),
                score_threshold=float(arrays['score_threshold']),
                official=True,
            ),
        )
    )
    built.memory.slots.copy_(get('memory_before'))
    built.memory.cursor.copy_(get('pointer_before'))
    built.enabled = False
    samples = [SegDataSample(gt_score=t, gt_label=t.nonzero().squeeze(1)) for t in get('label')]
    parts = dict(coarse_map=get('coarse_map'), local_feats=get('x'))
    outputs = CAMOutputs(torch.zeros(1), get('coarse_map'), get('prob').logit(), parts=parts)
    assert built(outputs, samples, None) == {}
    assert_close(built.memory.slots, get('memory_after'), rtol=0, atol=1e-6)
    assert built.memory.cursor.tolist() == get('pointer_after').tolist()


def test_the_memory_is_compared_with_before_it_is_written(rng):
    built = objective()
    outputs, samples = outputs_of(2, rng), [tagged(0, 1), tagged(2)]
    loss = loss_of(built, outputs, samples)
    assert loss == 0  # it was empty
    assert built.memory.filled.sum(dim=1).tolist() == [1, 1, 1]
    loss = loss_of(built, outputs, samples)
    loss.backward()
    assert loss > 0
    assert outputs.feats.grad.isfinite().all()
    assert outputs.feats.grad.abs().max() > 0


def test_the_memory_holds_the_embeddings_of_the_regions(rng):
    built = objective()
    outputs, samples = outputs_of(2, rng), [tagged(0, 1), tagged(2)]
    built(outputs, samples, None)
    weights = mean_threshold_regions(outputs.score_map, torch.stack([s.gt_score for s in samples]))
    regions = region_embeddings(outputs.feats, weights, [s.gt_label for s in samples])
    assert_close(built.memory.slots[:, 0], regions.embeddings.detach())


def test_only_regions_of_confident_classes_are_written(rng):
    built = objective(score_threshold=0.7)
    outputs = outputs_of(2, rng)
    outputs.logits = torch.tensor([[2.0, 0.8, 9.0], [0.0, 0.0, 0.9]])  # sigmoid(0.8473) = 0.7
    built(outputs, [tagged(0, 1), tagged(2)], None)
    assert built.memory.filled.sum(dim=1).tolist() == [1, 0, 1]


def test_with_background_the_region_itself_must_be_confident(rng):
    built = objective(score_threshold=0.7)
    outputs = outputs_of(1, rng, background=True)
    scores = torch.zeros(1, 1 + K, 4, 5)
    scores[0, 1, :2], scores[0, 3, 2:] = 5.0, 1.0  # confident and unconfident where above the mean
    outputs.score_map, outputs.logits = scores, torch.zeros(20, 1 + K)
    built(outputs, [tagged(0, 2)], None)
    assert built.memory.filled.sum(dim=1).tolist() == [1, 0, 0]


def test_before_it_begins_the_memory_is_filled_without_a_loss(rng):
    built = objective()
    built.enabled = False
    assert built(outputs_of(2, rng), [tagged(0, 1), tagged(2)], None) == {}
    assert built.memory.filled.any(dim=1).all()


def test_evaluation_leaves_the_memory_alone(rng):
    built = objective().eval()
    fill(built, rng)
    before = built.memory.slots.clone()
    loss_of(built, outputs_of(2, rng), [tagged(0, 1), tagged(2)])
    assert_close(built.memory.slots, before, rtol=0, atol=0)


def test_a_projection_is_for_the_query_alone(rng):
    built, plain = objective(projection=True), objective()
    fill(built, torch.Generator().manual_seed(3))
    fill(plain, torch.Generator().manual_seed(3))
    outputs, samples = outputs_of(2, rng), [tagged(0, 1), tagged(2)]
    loss = loss_of(built, outputs, samples)
    assert not torch.isclose(loss, loss_of(plain, outputs, samples))
    assert_close(built.memory.slots, plain.memory.slots)
    loss.backward()
    for parameter in built.projection.parameters():
        assert parameter.grad.isfinite().all()
    assert outputs.feats.grad.abs().max() > 0


def test_first_weights_of_the_projection_are_those_of_the_config():
    built = objective(projection=True, init_cfg=dict(type='Constant', layer='Conv2d', val=2))
    built.init_weights()
    assert built.projection[0].weight.unique().tolist() == [2]


def check_gradient(built, outputs, samples):
    loss = loss_of(built, outputs, samples)
    loss.backward()
    assert loss.isfinite()
    assert outputs.feats.grad.isfinite().all()
    assert built.memory.slots.isfinite().all()
    return loss.detach(), outputs.feats.grad


def test_a_batch_without_any_tag_has_no_loss(rng):
    built = objective()
    fill(built, rng)
    before = built.memory.filled.clone()
    loss, grad = check_gradient(built, outputs_of(2, rng), [tagged(), tagged()])
    assert loss == 0
    assert grad.abs().sum() == 0
    assert_close(built.memory.filled, before)


def test_an_image_without_tags_does_not_weaken_the_others(rng):
    built = objective()
    fill(built, rng)
    alone, both = outputs_of(1, rng), outputs_of(2, rng)
    both.feats.data[1:], both.score_map[1:] = alone.feats.data, alone.score_map
    built.eval()
    expected = loss_of(built, alone, [tagged(0, 2)])
    assert_close(loss_of(built, both, [tagged(), tagged(0, 2)]), expected)


def test_a_constant_map_neither_counts_nor_is_written(rng):
    built = objective()
    fill(built, rng)
    outputs = outputs_of(2, rng)
    outputs.score_map[1] = 0.1
    outputs.logits = outputs.score_map.mean(dim=(2, 3))
    _, grad = check_gradient(built, outputs, [tagged(0), tagged(1)])
    assert grad[1].abs().sum() == 0
    assert built.memory.cursor.tolist() == [1, 0, 0]


def test_one_image_is_compared_without_a_partner(rng):
    built = objective()
    fill(built, rng)
    regions = region_embeddings(torch.ones(1, C, 1, 1), torch.ones(1, K, 1, 1), [torch.arange(K)])
    partners, shares = built.contrast.draw_partners(regions)
    assert partners.tolist() == [0, 1, 2]
    assert shares.tolist() == [1, 1, 1]
    loss, _ = check_gradient(built, outputs_of(1, rng), [tagged(0, 1, 2)])
    assert loss > 0


def test_memory_of_one_class_alone_has_nothing_to_compare_with(rng):
    built = objective()
    fill(built, rng, classes=[1])
    loss, grad = check_gradient(built, outputs_of(2, rng), [tagged(0, 1), tagged(1)])
    assert loss == 0
    assert grad.abs().sum() == 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_has_about_the_same_loss(rng, dtype):
    built = objective().eval()
    fill(built, rng)
    outputs, samples = outputs_of(2, rng), [tagged(0, 1), tagged(0)]
    built.contrast.draw_partners = lambda regions: (torch.tensor([2, 2, 1]), torch.full((3,), 0.5))
    expected = loss_of(built, outputs, samples)
    half = CAMOutputs(outputs.feats.to(dtype), outputs.score_map, outputs.logits.to(dtype))
    with torch.autocast('cpu', torch.bfloat16):
        loss = loss_of(built, half, samples)
    assert loss.dtype == torch.float32
    assert_close(loss, expected, rtol=1e-2, atol=1e-2)


def test_a_threshold_of_the_memory_out_of_range_is_refused():
    with pytest.raises(
        ValueError, match=r'`score_threshold` to be at least 0 and below 1, got 1\.0'
    ):
        objective(score_threshold=1.0)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(contrast=dict(type='GlobalAveragePooling')), 'contrast must be a MixupContrast, got'),
        (dict(memory=dict(type='MixupContrast')), 'memory must be a RegionMemory, got'),
        (dict(memory=dict(channels=9)), rf'memory sets channels=9, .* channels={C}\. Leave'),
        (dict(memory=dict(num_classes=K)), 'memory sets num_classes='),
    ],
)
def test_parts_of_another_kind_or_size_are_refused(options, message):
    with pytest.raises(UserInputError, match=message):
        MODELS.build(dict(type='RegionContrast', num_classes=K, channels=C, **options))


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match='needs at least 2, got 1'):
        MODELS.build(dict(type='RegionContrast', num_classes=1, channels=C))


def classifier(**options):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type='HalfSizeBackbone'),
            head=dict(
                type='CAMHead',
                in_channels=C,
                num_classes=K,
                pooling=dict(type='GlobalAveragePooling'),
            ),
            objectives=[
                dict(type='MultiLabelSoftMargin'),
                dict(
                    type='RegionContrast',
                    num_classes=K,
                    channels=C,
                    memory=dict(slots=3, score_threshold=0.0),
                    **options,
                ),
            ],
        )
    )


SAMPLES = [tagged(0, 1), tagged(2), tagged(0), tagged(1, 2)]


def images(seed=1):
    return torch.randn(4, 3, 8, 10, generator=torch.Generator().manual_seed(seed))


def test_the_classifier_calls_it_before_it_begins(rng):
    model = classifier()
    model.objectives[1].enabled = False
    assert set(model(images(), SAMPLES, mode='loss')) == {'loss_multi_label'}
    assert model.objectives[1].memory.filled.any()
    model.objectives[1].enabled = True
    losses = model(images(), SAMPLES, mode='loss')
    assert losses['loss_region_contrast'] > 0
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_head_without_the_coarse_map_is_an_error_at_construction():
    with pytest.raises(ValueError, match=r"RegionContrast requires \['coarse_map'\]"):
        classifier(regions='coarse_map')


def test_the_checkpoint_has_the_memory(rng):
    model = classifier()
    model(images(), SAMPLES, mode='loss')
    fresh = classifier()
    fresh.load_state_dict(model.state_dict())
    assert_close(fresh.objectives[1].memory.slots, model.objectives[1].memory.slots)
    assert_close(fresh.objectives[1].memory.filled, model.objectives[1].memory.filled)


def neighbours(regions):
    """The partner of a region is the next region within the same pair of images (number // 2)."""
    pair = regions.images // 2
    rows = torch.arange(len(pair))
    partners = torch.where((rows + 1 < len(pair)) & (pair == pair.roll(-1)), rows + 1, rows)
    return partners, torch.where(partners == rows, 1.0, 0.6)


def train(model, wrapped, batches):
    model.objectives[1].contrast.draw_partners = neighbours
    found = []
    for batch, samples in batches:
        model.zero_grad(set_to_none=True)
        losses = wrapped(batch, samples, mode='loss')
        losses['loss_region_contrast'].backward()
        found.append((losses['loss_region_contrast'].detach(), model.backbone.conv.weight.grad))
    memory = model.objectives[1].memory
    return found, memory.slots, memory.filled, memory.cursor


def test_two_distributed_processes_train_as_one(on_two_ranks):
    # Four images with 2, 1, 1, 2 regions; one image without any in the second step.
    steps = [(images(1), SAMPLES), (images(2), [tagged(), *SAMPLES[1:]]), (images(3), SAMPLES)]
    model = classifier()
    expected = train(model, model, steps)

    def of_one_rank(rank):
        replica = classifier()
        wrapped = nn.parallel.DistributedDataParallel(replica, find_unused_parameters=True)
        own = slice(2 * rank, 2 * rank + 2)
        return train(replica, wrapped, [(batch[own], samples[own]) for batch, samples in steps])

    for found in on_two_ranks(of_one_rank):
        assert_close(found, expected, rtol=1e-4, atol=1e-6)
