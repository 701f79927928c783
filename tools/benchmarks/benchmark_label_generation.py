"""Time pseudo labels from boxes, without network and CRF, against their plain form.

python tools/benchmarks/benchmark_label_generation.py --threads 2

Both start from the features and make the scores for the CRF, a first label map, and a second one by
retrieval. The plain form resizes all channels to the image. Every form runs in its own process;
memory is the peak above what the process held before.
"""

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from mmwsss.cams.functional import activation_maps
from mmwsss.registry import TASK_UTILS

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import pseudo_labels as reference

BOXES = [[60, 80, 300, 320], [220, 40, 460, 300]]
CLASSES = [6, 14]
GENERATOR = dict(
    type='PseudoLabelGenerator',
    normalize=dict(type='BoxNormalize'),
    labels=dict(
        seed=dict(
            background=dict(type='AttentionBackground'), refiners=[dict(type='SoftmaxInBoxes')]
        ),
        first=dict(start='seed', refiners=[dict(type='BoxConstraint')]),
        retrieved=dict(
            start='first', refiners=[dict(type='RetrievalRefiner'), dict(type='BoxConstraint')]
        ),
    ),
)

Labels = tuple[np.ndarray, np.ndarray]


def make_sample(channels: int) -> SegDataSample:
    generator = torch.Generator().manual_seed(0)
    sample = SegDataSample()
    sample.feats = torch.randn(channels, 47, 63, generator=generator).relu_()
    sample.class_weights = torch.randn(21, channels, generator=generator) / channels**0.5
    sample.cam_label = torch.tensor(CLASSES)
    sample.pred_score = torch.zeros(20)
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(BOXES, dtype=torch.float32), labels=torch.tensor(CLASSES)
    )
    background = torch.ones(1, 375, 500, dtype=torch.uint8)
    for x1, y1, x2, y2 in BOXES:
        background[:, y1:y2, x1:x2] = 0
    sample.background_mask = PixelData(data=background)
    return sample


def product_labels(sample: SegDataSample) -> Labels:
    with DefaultScope.overwrite_default_scope('mmwsss'):
        generator = TASK_UTILS.build(GENERATOR)
    weights = sample.class_weights[1 + sample.cam_label]
    score_map = torch.einsum('nc,chw->nhw', weights, sample.feats)
    sample.cams = activation_maps(score_map, (375, 500), align_corners=True, rectify='after_resize')
    labels = generator.generate(sample, np.zeros((375, 500, 3), dtype=np.uint8))
    return labels['first'], labels['retrieved']


def plain_labels(sample: SegDataSample) -> Labels:
    rows = torch.tensor([0, *(c + 1 for c in CLASSES)])
    weights = sample.class_weights[rows]
    background = sample.background_mask.data[0] == 1
    scores = reference.unary(sample.feats, weights, background, BOXES, CLASSES, CLASSES)
    in_boxes = reference.union(BOXES, CLASSES, CLASSES, (375, 500))
    first = torch.cat([scores[:1], scores[1:] * in_boxes]).argmax(dim=0)
    scores = reference.retrieved(sample.feats, weights, first, background, in_boxes)
    labels = (rows[row].numpy().astype(np.uint8) for row in (first, scores.argmax(dim=0)))
    return tuple(labels)


FORMS = {'product': product_labels, 'plain': plain_labels}


def measure(name: str, channels: int, repeats: int, threads: int) -> tuple[float, float, Labels]:
    """Return the seconds of the fastest run, the peak memory in MiB, and the label maps."""
    torch.set_num_threads(threads)
    sample = make_sample(channels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        labels = FORMS[name](sample)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(seconds), peak / 1024, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--channels', type=int, default=1024)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    results = {}
    for name in FORMS:
        # A separate process, because the peak memory of a process never falls.
        with get_context('spawn').Pool(1) as pool:
            results[name] = pool.apply(measure, (name, args.channels, args.repeats, args.threads))
        print(f'{name:8} {results[name][0]:7.3f} s  {results[name][1]:6.0f} MiB')
    print(f'ratio    {results["plain"][0] / results["product"][0]:7.1f}')
    pairs = zip(results['product'][2], results['plain'][2], strict=True)
    different = [int((one != other).sum()) for one, other in pairs]
    print(f'pixels with different labels: {different} of {375 * 500}')


if __name__ == '__main__':
    main()
