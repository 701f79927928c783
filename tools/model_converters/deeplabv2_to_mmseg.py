"""Rename the published PyTorch weights of DeepLab-V2's ResNet-101 for the backbone CeilPoolResNet.

python tools/model_converters/deeplabv2_to_mmseg.py \
    deeplabv1_resnet101-coco.pth weights/deeplabv2_resnet101_coco.pth

The file is the conversion of DeepLab's `init.caffemodel` by the PyTorch reimplementation that the
papers name, or a network that it trained. Its head, if any, is left out. The weights have seen the
masks of COCO, so results that start from them are not comparable with results that start from
ImageNet.
"""

import argparse
import re
from functools import partial
from pathlib import Path

from torch import Tensor

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.vgg16_weights import INPUT
from mmwsss.apis.weight_files import (
    expected_shapes,
    load_state_dict,
    prefix_of,
    save_atomically,
    take,
)
from mmwsss.models.backbones import CeilPoolResNet
from mmwsss.structures import UserInputError

_FIRST = 'layer1.conv1.conv.weight'
_BLOCK = re.compile(r'layer(\d)\.block(\d+)\.(reduce|conv3x3|increase|shortcut)\.(conv|bn)\.(\w+)')
_NUMBERS = {'reduce': 1, 'conv3x3': 2, 'increase': 3}


def backbone_name(name: str) -> str | None:
    """Rename a tensor of the published network; None if it belongs to the head."""
    stem = re.fullmatch(r'layer1\.conv1\.(conv|bn)\.(\w+)', name)
    if stem:
        return f'{stem[1]}1.{stem[2]}'
    match = _BLOCK.fullmatch(name)
    if match is None:
        return None
    layer, block, branch, part, kind = match.groups()
    place = f'layer{int(layer) - 1}.{int(block) - 1}'
    if branch == 'shortcut':
        return f'{place}.downsample.{("conv", "bn").index(part)}.{kind}'
    return f'{place}.{part}{_NUMBERS[branch]}.{kind}'


def convert(source: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and check the tensors of a state dict, names with any common prefix.

    Raises:
        UserInputError: If it is a different network, or tensors are missing or have a different
            shape.
    """
    prefix = prefix_of(source, _FIRST)
    if prefix is None:
        raise UserInputError(
            f'the file has no {_FIRST}, so it is not the published ResNet-101 of DeepLab-V2. Its '
            f'first names are {list(source)[:3]}.'
        )
    names = {name: backbone_name(name.removeprefix(prefix)) for name in source}
    renamed = {new: source[old] for old, new in names.items() if new is not None}
    return take(renamed, expected_shapes(partial(CeilPoolResNet, depth=101)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='state dict of the published network')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    args = parser.parse_args(arguments)
    converted = convert(load_state_dict(args.source))
    meta = {'source': args.source.name, 'input': INPUT}
    save_atomically({'state_dict': converted, 'meta': meta}, args.target)
    print(f'{args.target}: {len(converted)} tensors for CeilPoolResNet, none missing.')


if __name__ == '__main__':
    run_tool(main)
