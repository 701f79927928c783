"""Time how changes of data are noticed: reading all files against their kept hashes.

python tools/benchmarks/benchmark_contents.py --files 100000

First, files of 10 kB each are written to a temporary folder, in subfolders of 1000. Both ways run
in this process, one after the other. The files are in the page cache for both, so the ratio is that
of the work; on a disk it is larger.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from mmwsss.engine.state.contents import Contents


def write_files(folder: Path, count: int, size: int) -> list[str]:
    rng = np.random.default_rng(0)
    paths = [folder / f'{i // 1000}' / f'{i}.jpg' for i in range(count)]
    for parent in sorted({path.parent for path in paths}):
        parent.mkdir()
    for path in paths:
        path.write_bytes(rng.bytes(size))
    return [str(path) for path in paths]


def timed(contents: Contents, files: list[str], root: str) -> tuple[list[str], float]:
    start = time.perf_counter()
    hashes = contents.of_files(files, root)
    return hashes, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--files', type=int, default=20000)
    parser.add_argument('--size', type=int, default=10_000, help='bytes of each file')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data, kept = Path(name, 'data'), Path(name, 'contents.json')
        data.mkdir()
        files = write_files(data, args.files, args.size)
        first, read = timed(Contents(kept), files, str(data))
        again, looked = timed(Contents(kept), files, str(data))
    print(f'{args.files} files: read {read:.2f} s  looked at {looked:.2f} s')
    print(f'ratio {read / looked:.1f}')
    print(f'same results: {first == again}')


if __name__ == '__main__':
    main()
