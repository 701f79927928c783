"""Convert torchvision's ImageNet weights, chosen by name, for the backbones of the configs.

python tools/model_converters/torchvision_weights.py \
    mobilenet_v2 weights/mobilenet_v2_torchvision.pth
python tools/model_converters/torchvision_weights.py vgg16 weights/vgg16_deeplab.pth
python tools/model_converters/torchvision_weights.py \
    resnet50 weights/resnet50.pth --source resnet50-0676ba61.pth

Without `--source`, torchvision downloads the file (V1 weights) to torch's cache and verifies its
checksum. docs/weights.md lists files, checksums and the input that they expect.
"""

import argparse
from pathlib import Path

from torch import Tensor

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.torchvision_weights import NETWORKS, convert
from mmwsss.apis.weight_files import load_state_dict, save_atomically
from mmwsss.structures import UserInputError


def download(name: str) -> dict[str, Tensor]:
    """Download the V1 weights of a network through torchvision.

    Raises:
        UserInputError: If the download fails.
    """
    from torchvision.models import get_weight

    weights = get_weight(f'{NETWORKS[name].enum}.IMAGENET1K_V1')
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no connection, or a wrong checksum
        raise UserInputError(
            f'{weights.url} cannot be downloaded: {error}. Get it another way and name the file '
            'with --source.'
        ) from error


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('name', choices=sorted(NETWORKS), help='name of the network')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument('--source', type=Path, help="torchvision's file, if you already have it")
    args = parser.parse_args(arguments)
    source = load_state_dict(args.source) if args.source else download(args.name)
    converted = convert(args.name, source)
    network = NETWORKS[args.name]
    meta = {
        'source': args.source.name if args.source else f'{network.enum}.IMAGENET1K_V1',
        'input': network.input,
    }
    save_atomically({'state_dict': converted, 'meta': meta}, args.target)
    print(f'{args.target}: {len(converted)} tensors for {network.backbone}, none missing.')


if __name__ == '__main__':
    run_tool(main)
