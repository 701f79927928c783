"""Time a write into a memory of regions against a loop over the regions.

python tools/benchmarks/benchmark_region_memory.py --images 8 64

The loop is the published form: for every region it checks whether the score is high enough, which
waits for a GPU, then reads, blends and writes one slot. Both give the same memory.
"""

import argparse
import time
from collections.abc import Callable

import torch

from mmwsss.engine.hooks.region_entries_hook import region_entries
from mmwsss.models import RegionMemory

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]
Entries = dict[str, dict[int, int]]


def loop(memory: RegionMemory, batch: Batch, table: Entries) -> None:
    """Store region by region."""
    for f, label, stored, img_id in zip(*batch, strict=True):
        if not (stored and f.isfinite().all()):
            continue
        c = int(label)
        slot = table[img_id][c] if memory.entry == 'image' else int(memory.cursor[c])
        old = memory.slots[c, slot]
        is_filled = memory.filled[c, slot]
        new = memory.momentum * old + (1 - memory.momentum) * f if is_filled else f
        memory.slots[c, slot] = new
        memory.filled[c, slot] = True
        if memory.entry == 'ring':
            memory.cursor[c] = (slot + 1) % memory.slots.shape[1]


def make_batches(args: argparse.Namespace, num_images: int, entries: Entries) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(args.steps):
        chosen = torch.randperm(len(entries), generator=generator)[:num_images].tolist()
        pairs = [(str(i), c) for i in chosen for c in sorted(entries[str(i)])]
        f = torch.randn(len(pairs), args.channels, generator=generator).relu()
        gate = torch.rand(len(pairs), generator=generator) < 0.8
        classes = torch.tensor([c for _, c in pairs])
        parts = (part.to(args.device) for part in (f, classes, gate))
        batches.append((*parts, [img_id for img_id, _ in pairs]))
    return batches


def measure(write: Callable, batches: list[Batch], device: str) -> float:
    """Return the seconds of the fastest step."""
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        write(batch)
        if device != 'cpu':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def make_entries(num_classes: int) -> Entries:
    """Slots of 2000 images with one or two classes in turn; the mean over VOC 2012 is 1.6."""
    images = range(2000)
    labels = [{i % num_classes, (i // 3 if i % 2 else i) % num_classes} for i in images]
    return region_entries((str(i), own) for i, own in zip(images, labels, strict=True))


def make_memory(args: argparse.Namespace, entry: str, entries: Entries) -> RegionMemory:
    slots = args.slots
    if entry == 'image':
        slots = 1 + max(slot for own in entries.values() for slot in own.values())
    memory = RegionMemory(args.classes, args.channels, slots=slots, entry=entry).to(args.device)
    if entry == 'image':
        memory.set_entries(entries)
    return memory


def compare(args: argparse.Namespace, entry: str, num_images: int, entries: Entries) -> None:
    batches = make_batches(args, num_images, entries)
    at_once, in_turn = (make_memory(args, entry, entries) for _ in range(2))
    fast = measure(lambda batch: at_once.write(*batch, batch_size=num_images), batches, args.device)
    slow = measure(lambda batch: loop(in_turn, batch, entries), batches, args.device)
    difference = (at_once.slots - in_turn.slots).abs().max().item()
    print(
        f'{entry:5}  {num_images:3} images  at once {1e3 * fast:6.3f} ms  '
        f'loop {1e3 * slow:6.3f} ms  ratio {slow / fast:5.1f}  difference {difference:.0e}'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--images', type=int, nargs='+', default=[8, 64], help='images over all processes'
    )
    parser.add_argument('--classes', type=int, default=20)
    parser.add_argument('--channels', type=int, default=512)
    parser.add_argument('--slots', type=int, default=500, help='of the ring')
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    entries = make_entries(args.classes)
    for entry in ('ring', 'image'):
        for num_images in args.images:
            compare(args, entry, num_images, entries)


if __name__ == '__main__':
    main()
