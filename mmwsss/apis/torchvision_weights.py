"""Torchvision's ImageNet weights for the backbones that the configs use."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mmseg.models.backbones import MobileNetV2, ResNet
from torch import Tensor, nn

from mmwsss.apis import vgg16_weights
from mmwsss.apis.weight_files import expected_shapes, prefix_of, take
from mmwsss.structures import UserInputError

IMAGENET_INPUT = 'RGB 0..255 minus (123.675, 116.28, 103.53), divided by (58.395, 57.12, 57.375)'
# Blocks of each layer of MobileNetV2; those of the first layer do not expand.
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)


@dataclass(frozen=True)
class Network:
    """A network of torchvision.

    Attributes:
        enum: Torchvision's name for its weights.
        backbone: The backbone that takes them.
        input: The input that the converted weights expect.
        first: Name of a tensor in the file, used to find a prefix.
        build: Builds a backbone with the same names and shapes.
    """

    enum: str
    backbone: str
    input: str
    first: str
    build: Callable[[], nn.Module] | None = None


NETWORKS = {
    'mobilenet_v2': Network(
        'MobileNet_V2_Weights',
        'MobileNetV2 and DilatedMobileNetV2',
        IMAGENET_INPUT,
        'features.0.0.weight',
        MobileNetV2,
    ),
    'resnet50': Network(
        'ResNet50_Weights',
        "ResNet(depth=50, style='pytorch')",
        IMAGENET_INPUT,
        'conv1.weight',
        partial(ResNet, 50),
    ),
    'resnet101': Network(
        'ResNet101_Weights',
        "ResNet(depth=101, style='pytorch')",
        IMAGENET_INPUT,
        'conv1.weight',
        partial(ResNet, 101),
    ),
    'vgg16': Network('VGG16_Weights', 'VGG16DeepLab', vgg16_weights.INPUT, 'features.0.weight'),
    'vgg16_rgb': Network('VGG16_Weights', 'VGG16DeepLab', IMAGENET_INPUT, 'features.0.weight'),
}


def convert(name: str, source: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and check the tensors of torchvision's network, without its classifier.

    Args:
        name: One of :data:`NETWORKS`.
        source: State dict of torchvision's network, names with any common prefix.

    Returns:
        State dict of the backbone. That of ``vgg16`` is changed to take the input of Caffe's
        weights, see :mod:`mmwsss.apis.vgg16_weights`; that of ``vgg16_rgb`` is unchanged.

    Raises:
        UserInputError: If it is a different network, or tensors are missing or have a different
            shape.
    """
    network = NETWORKS[name]
    prefix = prefix_of(source, network.first)
    if prefix is None:
        raise UserInputError(
            f"the file has no {network.first}: it is not torchvision's {name}. Its first names are "
            f'{list(source)[:3]}.'
        )
    if network.build is None:
        return vgg16_weights.convert(source, keep_input=network.input == IMAGENET_INPUT)
    source = {key.removeprefix(prefix): tensor for key, tensor in source.items()}
    if name == 'mobilenet_v2':
        names = {key: mobilenet_name(key) for key in source}
        source = {new: source[old] for old, new in names.items() if new is not None}
    return take(source, expected_shapes(network.build))


def mobilenet_name(name: str) -> str | None:
    """Rename a tensor of torchvision's MobileNetV2 to mmseg's name; None if mmseg lacks it."""
    part, _, rest = name.partition('.')
    if part != 'features':
        return None
    index, _, rest = rest.partition('.')
    if index == '0':
        return f'conv1.{_conv_or_bn(rest)}'
    layer, block = _place(int(index))
    if layer is None:
        return None  # the layer before the classifier
    _, number, rest = rest.split('.', 2)  # conv.<number>.<rest>
    last = 1 if layer == 1 else 2  # the projection, without an activation
    if int(number) < last:
        inner = f'{number}.{_conv_or_bn(rest)}'
    elif int(number) == last:
        inner = f'{last}.conv.{rest}'
    else:
        inner = f'{last}.bn.{rest}'
    return f'layer{layer}.{block}.conv.{inner}'


def _conv_or_bn(name: str) -> str:
    index, _, kind = name.partition('.')
    return f'{("conv", "bn")[int(index)]}.{kind}'


def _place(index: int) -> tuple[int | None, int]:
    """Return layer and block of torchvision's features[index]."""
    index -= 1
    for layer, count in enumerate(_BLOCKS, start=1):
        if index < count:
            return layer, index
        index -= count
    return None, index
