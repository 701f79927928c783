"""Where files of pretrained weights come from."""

from pathlib import Path

_CONVERTERS = 'python tools/model_converters'
# By the names that the configs give the files.
_SOURCES = {
    'mobilenet_v2_torchvision.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py mobilenet_v2 {{path}}` downloads and converts it'
    ),
    'mobilenet_v2_in1k.pth': (
        "it is Google's MobileNetV2 with the names of mmseg's backbone, of which there is no "
        "download; torchvision's is one, see docs/weights.md"
    ),
    'vgg16_deeplab.pth': (
        f'`{_CONVERTERS}/torchvision_weights.py vgg16 {{path}}` downloads and converts it; from '
        f"DeepLab's vgg16_20M `{_CONVERTERS}/vgg16_to_deeplab.py vgg16_20M.pth {{path}}` makes it"
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
    """Say where a file of weights comes from and which command converts it, in one sentence.

    Args:
        path: The file, by whose name it is known.
    """
    known = _SOURCES.get(Path(path).name)
    if known is None:
        return 'Name an existing file, or set MMWSSS_WEIGHTS to the folder of the weights.'
    return (
        f'If it is elsewhere, set MMWSSS_WEIGHTS to its folder; else {known.format(path=path)}. '
        'All weights: docs/weights.md.'
    )
