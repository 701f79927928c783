"""Convert weights of VGG16 into a checkpoint for the backbone VGG16DeepLab.

python tools/model_converters/vgg16_to_deeplab.py vgg16-397923af.pth weights/vgg16_deeplab.pth
python tools/model_converters/vgg16_to_deeplab.py vgg_caffe.pth weights/vgg16_deeplab.pth

The source is either torchvision's VGG16 (`features.N`, `classifier.N`) or a conversion of a Caffe
model (`conv1_1` ... `fc7`). fc6 and fc7 with 4096 channels are thinned out to 1024, as DeepLab did.

The result always expects the input that the configs feed: BGR values of 0..255 minus (104.008,
116.669, 122.675). Torchvision's own weights expect normalised RGB; the difference is folded into
conv1_1.
"""

import argparse
from pathlib import Path

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.vgg16_weights import INPUT, convert, left_over
from mmwsss.apis.weight_files import load_state_dict, save_atomically


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='weights of VGG16')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--caffe-input',
        action='store_true',
        help="the weights have torchvision's names but expect BGR values minus the mean",
    )
    args = parser.parse_args(arguments)
    source = load_state_dict(args.source)
    converted = convert(source, keep_input=args.caffe_input)
    meta = {'source': args.source.name, 'input': INPUT}
    save_atomically({'state_dict': converted, 'meta': meta}, args.target)
    print(f'{args.target}: {len(converted)} tensors for VGG16DeepLab, none missing.')
    if unused := left_over(source):
        print(f'Left out: {", ".join(unused)}.')


if __name__ == '__main__':
    run_tool(main)
