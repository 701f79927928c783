"""Time the normalisation of maps in boxes against its plain form, with a full-size mask per box.

python tools/benchmarks/benchmark_boxes.py --size 480 640 --boxes 60
"""

import argparse
import time

import torch
from torch import Tensor

from mmwsss.pseudo_labels.class_boxes import ClassBox, class_boxes, normalize_in_boxes


def with_masks(cams: Tensor, boxes: list[ClassBox]) -> Tensor:
    normalized = torch.zeros_like(cams)
    for box in boxes:
        mask = torch.zeros(cams.shape, dtype=torch.bool)
        mask[box.map_index, box.top : box.bottom, box.left : box.right] = True
        highest = torch.where(mask, cams, 0).amax()
        normalized = torch.where(mask, cams / (highest + 1e-12), normalized)
    return normalized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', type=int, nargs=2, default=(480, 640), help='rows and columns')
    parser.add_argument('--boxes', type=int, default=60)
    parser.add_argument('--classes', type=int, default=5, help='present classes')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    height, width = args.size
    corners = torch.rand(2, args.boxes, 2, generator=rng) * torch.tensor([width, height])
    bboxes = torch.cat([corners.amin(dim=0), corners.amax(dim=0)], dim=1)
    labels = torch.randint(args.classes, (args.boxes,), generator=rng)
    cams = torch.rand(args.classes, height, width, generator=rng)
    boxes = class_boxes(bboxes, labels, torch.arange(args.classes), (height, width))
    times: dict[str, list[float]] = {'plain': [], 'slices': []}
    for _ in range(args.repeats):
        start = time.perf_counter()
        expected = with_masks(cams, boxes)
        middle = time.perf_counter()
        found = normalize_in_boxes(cams, boxes)
        times['slices'].append(time.perf_counter() - middle)
        times['plain'].append(middle - start)
    plain, slices = min(times['plain']), min(times['slices'])
    print(f'plain {plain * 1e3:8.1f} ms  slices {slices * 1e3:8.2f} ms  ratio {plain / slices:.1f}')
    print(f'same result: {expected.equal(found)}')


if __name__ == '__main__':
    main()
