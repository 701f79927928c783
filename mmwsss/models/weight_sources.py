"""Where files of pretrained weights come from."""

from pathlib import Path

_CONVERTERS = 'python tools/model_converters'
# Keyed by the file names in the configs.
_SOURCES = {
    'mobilenet_v2_torchvision.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py mobilenet_v2 {{path}}` downloads and converts it'
    ),
    'mobilenet_v2_in1k.pth': (
        "it is Google's MobileNetV2 with the names of mmseg's backbone and cannot be downloaded; "
        "use torchvision's instead, see docs/weights.md"
    ),
    'vgg16_deeplab.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py vgg16 {{path}}` downloads and converts it; '
        f"`{_CONVERTERS}/vgg16_to_deeplab.py vgg16_20M.pth {{path}}` makes it from DeepLab's "
        'vgg16_20M'
    ),
    'resnet50.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py resnet50 {{path}}` downloads and converts it'
    ),
    'vgg16_torchvision.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py vgg16_rgb {{path}}` downloads and converts it'
    ),
    'resnet38.pth': (
        'download ilsvrc-cls_rna-a1_cls1000_ep-0001.params (README of github.com/itijyou/ademxapp),'
        f' then `{_CONVERTERS}/mxnet_to_resnet38.py <that file> {{path}}`'
    ),
    'deeplabv2_resnet101_coco.pth': (
        'download the COCO weights that the README of github.com/kazuto1011/deeplab-pytorch names, '
        f'then `{_CONVERTERS}/deeplabv2_to_mmseg.py <that file> {{path}}`'
    ),
}


def how_to_get(path: str | Path) -> str:
    """Say in one sentence where a file of weights comes from and which command converts it.

    Args:
        path: The file, which is recognised by its name.
    """
    known = _SOURCES.get(Path(path).name)
    if known is None:
        return 'Name an existing file, or set MMWSSS_WEIGHTS to the folder of the weights.'
    return (
        'If it is elsewhere, set MMWSSS_WEIGHTS to its folder; otherwise '
        f'{known.format(path=path)}. All weights: docs/weights.md.'
    )
