"""Convert MXNet's ImageNet weights of the wide ResNet-38 for the backbone ResNet38.

python tools/model_converters/mxnet_to_resnet38.py \
    ilsvrc-cls_rna-a1_cls1000_ep-0001.params weights/resnet38.pth

MXNet itself is not needed. The weights expect the input that the configs feed: RGB values,
normalised with ImageNet's mean and deviation. The ImageNet classifier, linear1000, is left out.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.mxnet_file import read_arrays
from mmwsss.apis.weight_files import expected_shapes, save_atomically, take
from mmwsss.models.backbones import ResNet38

# res4b2_branch2a_weight, bn4b2_branch2a_gamma, conv1a_weight, bn7_moving_mean
_NAME = re.compile(
    r'(?P<layer>res|bn|conv)(?P<stage>\d)(?P<block>a|b\d+)?(?:_branch(?P<branch>\w+?))?'
    r'_(?P<kind>weight|gamma|beta|moving_mean|moving_var)'
)
_KINDS = {
    'weight': 'weight',
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_var': 'running_var',
}


def canonical_name(name: str) -> str:
    """Rename a tensor of MXNet's network to ResNet38's name; other names stay unchanged."""
    name = name.removeprefix('arg:').removeprefix('aux:')
    match = _NAME.fullmatch(name)
    if match is None:
        return name
    layer, stage, block, branch, kind = match.groups()
    if branch is None:
        return f'{layer}{stage}{block or ""}.{_KINDS[kind]}'
    layer = {'res': 'conv'}.get(layer, layer)
    block = {None: '', 'a': ''}.get(block, f'_{(block or "")[1:]}')
    return f'b{stage}{block}.{layer}_branch{branch}.{_KINDS[kind]}'


def convert(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Rename and check the arrays.

    Returns:
        State dict of ResNet38. Everything else in ``arrays`` is left out.

    Raises:
        UserInputError: If tensors are missing or have a different shape.
    """
    expected = expected_shapes(ResNet38)
    named = {canonical_name(name): array for name, array in arrays.items()}
    tensors = {
        name: torch.from_numpy(array.astype(np.float32, copy=False))
        for name, array in named.items()
        if name in expected
    }
    return take(tensors, expected)


def left_over(arrays: dict[str, np.ndarray]) -> list[str]:
    """List the arrays that the backbone does not use, by their names in the file."""
    expected = expected_shapes(ResNet38)
    return sorted(name for name in arrays if canonical_name(name) not in expected)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='parameter file of MXNet')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    args = parser.parse_args(arguments)
    arrays = read_arrays(args.source)
    converted = convert(arrays)
    meta = {'source': args.source.name, 'input': 'RGB, normalised with mean and std of ImageNet'}
    save_atomically({'state_dict': converted, 'meta': meta}, args.target)
    print(f'{args.target}: {len(converted)} tensors for ResNet38, none missing.')
    if unused := left_over(arrays):
        print(f'Left out: {", ".join(unused)}.')


if __name__ == '__main__':
    run_tool(main)
