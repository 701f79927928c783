"""Several ranks do what one does: the losses of a step, and the labels, of every method.

The models are those of the configs for synthetic shapes, with random weights. Batch normalisation
uses its running statistics, because those of half a batch differ from those of the whole.
"""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from mmwsss.datasets.transforms.loading import background_mask_from_boxes
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.models.objectives import RegionContrast
from mmwsss.registry import MODELS

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZE = 96
# Only the two images of one rank share no class, so no negative comes from the other rank.
TAGS = [[0, 1], [2, 3], [0, 2], [1, 3]]
CLASSIFIERS = {
    'bana': 'demo/bana-classifier_resnet18_shapes-96x96.py',
    'psa': 'demo/psa-cam_resnet18_shapes-96x96.py',
    'spatial_bce': 'mixed/sbce-gap_resnet18_shapes-96x96.py',
    'aeft': 'mixed/cam-triplet_resnet18_shapes-96x96.py',
    'rca': 'mixed/rca-gpp_resnet18_shapes-96x96.py',
}
OTHERS = {
    'bana, segmentor': 'demo/bana-nal_resnet18_shapes-96x96.py',
    'psa, affinity network': 'demo/psa-affinity_resnet18_shapes-96x96.py',
}


def build(name: str) -> nn.Module:
    config = Config.fromfile(CONFIGS / {**CLASSIFIERS, **OTHERS}[name]).model
    if name == 'rca':
        config.objectives[2].memory.score_threshold = 0.0  # regions even with random weights
    if name in ('aeft', 'rca'):
        config.objectives[-1].margin = 10.0  # every triplet is hard
    if name == 'bana, segmentor':
        config.decode_head.dropout_ratio = 0
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
        if isinstance(module, RegionContrast):
            module.contrast.draw_partners = neighbours
    if name == 'rca':
        context = model.head.context
        context.set_centroids(torch.randn_like(context.centroids), torch.ones_like(context.valid))
    return model


def neighbours(regions):
    """The partner of a region is the next region within the same pair of images (number // 2)."""
    pair = regions.images // 2
    rows = torch.arange(len(pair))
    partners = torch.where((rows + 1 < len(pair)) & (pair == pair.roll(-1)), rows + 1, rows)
    return partners, torch.where(partners == rows, 1.0, 0.6)


def sample(tags: list[int], random: torch.Generator) -> SegDataSample:
    """A sample with everything that any method learns from."""
    meta = dict(img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), pad_shape=(SIZE, SIZE))
    found = SegDataSample(metainfo=dict(meta, img_path='a.jpg', img_id='a'))
    found.gt_label = torch.tensor(tags)
    found.gt_score = torch.zeros(4).index_fill(0, found.gt_label, 1)
    found.gt_proportion = found.gt_score.double() / 8
    corners = torch.tensor([[8.0 + 30 * i, 12.0, 36.0 + 30 * i, 60.0] for i in range(len(tags))])
    found.gt_instances = InstanceData(bboxes=corners, labels=torch.tensor(tags))
    mask = background_mask_from_boxes(corners.numpy(), (SIZE, SIZE))
    found.background_mask = PixelData(data=torch.from_numpy(mask)[None])
    values = torch.tensor([0, *(tag + 1 for tag in tags), 255])
    for name, side in (('gt_sem_seg', SIZE), ('gt_sem_seg_aux', SIZE), ('affinity_label', 24)):
        chosen = torch.randint(len(values), (1, side, side), generator=random)
        found.set_field(PixelData(data=values[chosen]), name, dtype=PixelData)
    return found


def steps(model: nn.Module, wrapped: nn.Module, images: torch.Tensor, samples: list) -> list:
    """Losses and gradients of two steps; at the second, the memory holds what the first saw."""
    found = []
    for phase in ('probability', 'threshold'):
        for objective in getattr(model, 'objectives', ()):
            if hasattr(objective, 'set_phase'):
                objective.set_phase(phase)
        model.zero_grad(set_to_none=True)
        losses = {k: v for k, v in wrapped(images, samples, mode='loss').items() if 'loss' in k}
        sum(losses.values()).backward()
        grads = {k: p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}
        found.append(({k: v.detach() for k, v in losses.items()}, grads))
    return found


@pytest.mark.parametrize('name', [*CLASSIFIERS, *OTHERS])
def test_two_ranks_have_the_losses_and_gradients_of_one_with_the_whole_batch(name, on_two_ranks):
    random = torch.Generator().manual_seed(1)
    images = torch.randn(len(TAGS), 3, SIZE, SIZE, generator=random)
    samples = [sample(tags, random) for tags in TAGS]
    model = build(name)
    expected = steps(model, model, images, samples)

    def of_one_rank(rank):
        replica = build(name)
        wrapped = DistributedDataParallel(replica, find_unused_parameters=True)
        own = slice(2 * rank, 2 * rank + 2)
        return steps(replica, wrapped, images[own], samples[own])

    ranks = on_two_ranks(of_one_rank)
    for step, (losses, gradients) in enumerate(expected):
        assert all(value > 0 for value in losses.values()) or step == 0
        mean = {k: (ranks[0][step][0][k] + ranks[1][step][0][k]) / 2 for k in losses}
        assert_close(mean, losses, rtol=1e-4, atol=1e-6)
        for rank in ranks:
            found = {k: v for k, v in rank[step][1].items() if k in gradients}
            assert_close(found, gradients, rtol=1e-3, atol=1e-6)


@pytest.fixture(scope='module')
def seven_images(shapes_data):
    """Data root of the shapes with a list of a number of images that neither 2 nor 3 divides."""
    lists = shapes_data / 'shapes/ImageSets/Segmentation'
    ids = (lists / 'train.txt').read_text().split()
    (lists / 'seven.txt').write_text('\n'.join(ids[:7]) + '\n')
    return shapes_data / 'shapes'


def label_config(name: str, path: str, root: Path, folder: Path) -> Config:
    config = Config.fromfile(CONFIGS / path)
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.test_dataloader.dataset.update(
        data_root=str(root), ann_file='ImageSets/Segmentation/seven.txt'
    )
    config.test_cfg.num_workers = 0
    if name in CLASSIFIERS:
        checkpoint = folder / f'{name}.pth'
        torch.save(dict(state_dict=build(name).state_dict(), meta={}), checkpoint)
        config.load_from = str(checkpoint)
    return config


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob('*')) if path.suffix in ('.png', '.npz')]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def labels_of(config: Config, folder: Path, on_ranks, *, tta: bool = False) -> dict:
    """Make the labels on one, two and three ranks; check that they are equal, and return them."""
    found = {}
    for number in (1, 2, 3):
        work_dir = folder / str(number) / 'a'

        def on_rank(_=0, number=number, work_dir=work_dir):
            launcher = 'none' if number == 1 else 'pytorch'
            return run_stage(config, work_dir, task='test', tta=tta, launcher=launcher).metrics

        metrics = [on_rank()] if number == 1 else on_ranks(number, on_rank)
        assert all(rank_metrics == metrics[0] for rank_metrics in metrics)
        found[number] = files(work_dir / 'labels'), metrics[0]
    assert found[1] == found[2] == found[3]
    return found[1][0]


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_labels_of_several_ranks_are_those_of_one(name, seven_images, tmp_path, on_ranks):
    config = label_config(name, CLASSIFIERS[name], seven_images, tmp_path)
    found = labels_of(config, tmp_path, on_ranks, tta=name == 'spatial_bce')
    pngs = [path for path in found if path.endswith('.png')]
    assert len(pngs) == 7 * len(config.test_cfg.generator.labels)


def test_walked_labels_of_several_ranks_are_those_of_one(seven_images, tmp_path, on_ranks):
    seeds = label_config('psa', CLASSIFIERS['psa'], seven_images, tmp_path)
    scores = run_stage(seeds, tmp_path / 'seeds/a', task='test').outputs['seed_scores']
    network = tmp_path / 'affinity.pth'
    torch.save(dict(state_dict=build('psa, affinity network').state_dict(), meta={}), network)
    config = label_config('walk', 'demo/psa-walk_resnet18_shapes.py', seven_images, tmp_path)
    config.model.folder = scores
    config.test_cfg.generator.labels.walk.refiners[0].checkpoint = str(network)
    found = labels_of(config, tmp_path / 'walk', on_ranks)
    assert sum('walk/' in path for path in found) == 7
