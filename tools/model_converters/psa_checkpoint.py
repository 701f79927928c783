"""Rename checkpoints of AffinityNet's (PSA's) published networks for mmwsss.

python tools/model_converters/psa_checkpoint.py res38_cls.pth weights/psa-cam_resnet38.pth
python tools/model_converters/psa_checkpoint.py vgg16_aff.pth weights/psa-affinity_vgg16.pth

The kind of file is recognised by its names: `fc8` means a CAMClassifier, `f8_3`, `f8_4`, `f8_5` and
`f9` mean an AffinityNetwork, and anything else is only a backbone. Backbones are ResNet38
(`conv1a`) and VGG16DeepLab (`conv1_1`). Load networks with `load_from` and backbones as
`Pretrained`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.weight_files import (
    expected_shapes,
    load_state_dict,
    prefix_of,
    save_atomically,
    take,
)
from mmwsss.models.backbones import ResNet38, VGG16DeepLab
from mmwsss.structures import UserInputError

# For each backbone: its first tensor, and tensors with the channel numbers of its three features.
_FIRST = {ResNet38: 'conv1a.weight', VGG16DeepLab: 'conv1_1.weight'}
_FEATURES = {
    ResNet38: ('b5.bn_branch2a.weight', 'b6.bn_branch2a.weight', 'bn7.weight'),
    VGG16DeepLab: ('conv4_3.bias', 'conv5_3.bias', 'fc7.bias'),
}
_BRANCHES = ('f8_3', 'f8_4', 'f8_5')
_HEAD_NAMES = {
    'fc8': 'head.classifier',
    **{name: f'head.branches.{index}.conv' for index, name in enumerate(_BRANCHES)},
    **{f'gn{name[1:]}': f'head.branches.{index}.norm' for index, name in enumerate(_BRANCHES)},
    'f9': 'head.fusion',
}


@dataclass(frozen=True)
class Converted:
    """A renamed state dict, the components it belongs to, and names that were not used."""

    state_dict: dict[str, Tensor]
    network: str
    left_over: list[str]


def convert(source: dict[str, Tensor]) -> Converted:
    """Rename and check the tensors of a state dict.

    Args:
        source: State dict of a published network, names with any common prefix.

    Raises:
        UserInputError: If it is none of the networks, or tensors are missing or have a different
            shape.
    """
    backbone, prefix = _backbone_of(source)
    source = {name.removeprefix(prefix): tensor for name, tensor in source.items()}
    state = take(source, expected_shapes(backbone))
    network = backbone.__name__
    others = {name: _head_name(name) for name in source if name not in state}
    head = {new: source[old] for old, new in others.items() if new}
    if head:
        channels = [len(state[name]) for name in _FEATURES[backbone]]
        affinity = any(f'{name}.weight' in source for name in (*_BRANCHES, 'f9'))
        if affinity:
            expected = _affinity_shapes(head, channels, norms=backbone is VGG16DeepLab)
        else:
            expected = _classifier_shapes(head, channels[-1])
        state = {f'backbone.{name}': tensor for name, tensor in state.items()}
        state.update(take(head, expected))
        network = f'{"AffinityNetwork" if affinity else "CAMClassifier"} on {network}'
    return Converted(state, network, sorted(old for old, new in others.items() if new not in state))


def _backbone_of(source: dict[str, Tensor]) -> tuple[type, str]:
    for backbone, first in _FIRST.items():
        prefix = prefix_of(source, first)
        if prefix is not None:
            return backbone, prefix
    raise UserInputError(
        f'the file has neither {" nor ".join(_FIRST.values())}, so it is not a network of '
        f'AffinityNet. Its first names are {list(source)[:3]}.'
    )


def _head_name(name: str) -> str | None:
    module, _, kind = name.rpartition('.')
    return f'{_HEAD_NAMES[module]}.{kind}' if module in _HEAD_NAMES else None


def _classifier_shapes(head: dict[str, Tensor], channels: int) -> dict[str, torch.Size]:
    """Expect a classifier of any number of classes."""
    name = 'head.classifier.weight'
    return {name: torch.Size((_rows(head, name), channels, 1, 1))}


def _affinity_shapes(
    head: dict[str, Tensor], channels: list[int], *, norms: bool
) -> dict[str, torch.Size]:
    """Expect a branch of any width for each feature, possibly normalised, and their fusion."""
    shapes = {}
    width = 0
    for index, in_channels in enumerate(channels):
        branch = f'head.branches.{index}'
        rows = _rows(head, f'{branch}.conv.weight')
        shapes[f'{branch}.conv.weight'] = torch.Size((rows, in_channels, 1, 1))
        if norms:
            shapes[f'{branch}.norm.weight'] = shapes[f'{branch}.norm.bias'] = torch.Size((rows,))
        width += rows
    shapes['head.fusion.weight'] = torch.Size((width, width, 1, 1))
    return shapes


def _rows(head: dict[str, Tensor], name: str) -> int:
    return len(head[name]) if name in head else 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='state dict of a published network')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    args = parser.parse_args(arguments)
    converted = convert(load_state_dict(args.source))
    meta = {'source': args.source.name, 'network': converted.network}
    save_atomically({'state_dict': converted.state_dict, 'meta': meta}, args.target)
    tensors = len(converted.state_dict)
    print(f'{args.target}: {tensors} tensors for {converted.network}, none missing.')
    if converted.left_over:
        print(f'Left out: {", ".join(converted.left_over)}.')


if __name__ == '__main__':
    run_tool(main)
