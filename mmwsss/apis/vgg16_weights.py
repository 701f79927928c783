"""VGG16 weights for the backbone VGG16DeepLab: names, thinned layers, expected input."""

import torch
from torch import Tensor

from mmwsss.apis.weight_files import prefix_of
from mmwsss.models.backbones import VGG16DeepLab
from mmwsss.structures import UserInputError

INPUT = 'BGR 0..255 minus (104.008, 116.669, 122.675)'
CAFFE_MEAN_RGB = (122.675, 116.669, 104.008)
TORCHVISION_MEAN_RGB = (0.485, 0.456, 0.406)
TORCHVISION_STD_RGB = (0.229, 0.224, 0.225)

# Positions of the convolutions in torchvision's `features` and `classifier`.
TORCHVISION_NAMES = {
    **dict(
        zip(
            [f'features.{i}' for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)],
            [f'conv{b}_{i}' for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)],
            strict=True,
        )
    ),
    'classifier.0': 'fc6',
    'classifier.3': 'fc7',
}


def convert(source: dict[str, Tensor], *, keep_input: bool = False) -> dict[str, Tensor]:
    """Rename, thin out and check the tensors of a state dict.

    Args:
        source: State dict of VGG16, names with any common prefix.
        keep_input: Leave the first convolution unchanged, for weights with torchvision's names that
            already expect BGR minus mean or for a config that feeds torchvision's own input.

    Returns:
        State dict of VGG16DeepLab. Everything else in ``source`` is left out.

    Raises:
        UserInputError: If tensors are missing or have another shape.
    """
    source, from_torchvision = _canonical_names(source)
    expected = _expected()
    missing = [name for name in expected if name not in source]
    if missing:
        raise UserInputError(
            f'missing tensors: {len(missing)} of {len(expected)}, e.g. {missing[0]}. Expected '
            'VGG16 without batch normalisation, with its fully connected layers.'
        )
    converted = {name: _thin_out(name, source[name]).clone() for name in expected}
    for name, tensor in converted.items():
        if tensor.shape != expected[name].shape:
            raise UserInputError(
                f'{name} has shape {tuple(source[name].shape)}, which cannot be converted to '
                f'{tuple(expected[name].shape)}: these are not weights of VGG16.'
            )
    if from_torchvision and not keep_input:
        _expect_caffe_input(converted)
    return converted


def left_over(source: dict[str, Tensor]) -> list[str]:
    """List the tensors of a state dict that the backbone does not use."""
    names, _ = _canonical_names(source)
    return sorted(set(names) - set(_expected()))


def _expected() -> dict[str, Tensor]:
    """Return the names and shapes of the backbone's parameters, as tensors without memory."""
    with torch.device('meta'):
        return VGG16DeepLab().state_dict()


def _canonical_names(source: dict[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Rename to conv1_1 ... fc7; also tell whether the names were torchvision's."""
    prefix = prefix_of(source, 'conv1_1.weight')
    from_torchvision = prefix is None
    if from_torchvision:
        prefix = prefix_of(source, 'features.0.weight')
    if prefix is None:
        raise UserInputError(
            'the file has neither conv1_1.weight nor features.0.weight, so it is not a VGG16 that '
            f'this tool knows. Its first names are {list(source)[:3]}.'
        )
    renamed = {}
    for name, tensor in source.items():
        module, _, kind = name.removeprefix(prefix).rpartition('.')
        renamed[f'{TORCHVISION_NAMES.get(module, module)}.{kind}'] = tensor
    return renamed, from_torchvision


def _thin_out(name: str, tensor: Tensor) -> Tensor:
    """Take every fourth channel of a 4096-channel fc6 or fc7, and every third position of 7x7."""
    if name.startswith('fc') and tensor.shape[0] == 4096:
        if name == 'fc6.weight' and tensor.numel() == 4096 * 512 * 7 * 7:
            return tensor.reshape(4096, 512, 7, 7)[::4, :, ::3, ::3]
        if name == 'fc7.weight' and tensor.numel() == 4096 * 4096:
            return tensor.reshape(4096, 4096, 1, 1)[::4, ::4]
        if tensor.dim() == 1:
            return tensor[::4]
    return tensor


def _expect_caffe_input(state: dict[str, Tensor]) -> None:
    """Fold torchvision's normalisation into conv1_1, in place.

    ``(x/255 - m) / s = (z + M - 255 m) / (255 s)`` with z = x - M. At the border, where zeros pad z
    instead of the normalised image, this is exact up to the small difference between the two means.
    """
    weight = state['conv1_1.weight'].double()  # (64, 3, 3, 3), RGB
    std = torch.tensor(TORCHVISION_STD_RGB).double()
    offset = (
        torch.tensor(CAFFE_MEAN_RGB).double() / 255 - torch.tensor(TORCHVISION_MEAN_RGB)
    ) / std
    state['conv1_1.bias'] += torch.einsum('oiyx,i->o', weight, offset).float()
    folded = weight / (255 * std).view(1, 3, 1, 1)
    state['conv1_1.weight'] = folded.flip(1).float()  # BGR
