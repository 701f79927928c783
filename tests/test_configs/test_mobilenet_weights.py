"""Every MobileNetV2 of a pipeline has the padding, normalisation and input of its weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.engine.pipeline.entries import stage_entries
from mmwsss.engine.pipeline.stages import load_stages

CONFIGS = Path(__file__).parents[2] / 'configs'
PIPELINES = sorted(CONFIGS.glob('**/*mobilenet-v2*_voc.py'))
GOOGLE = {
    'norm_cfg': {'type': 'BN', 'eps': 1e-3},
    'conv_cfg': {'type': 'Conv2dAdaptivePadding'},
    'file': 'mobilenet_v2_in1k.pth',
    'mean': [127.5, 127.5, 127.5],
    'std': [127.5, 127.5, 127.5],
}
TORCHVISION = {
    'norm_cfg': None,  # the default, eps 1e-5
    'conv_cfg': None,
    'file': 'mobilenet_v2_torchvision.pth',
    'mean': [123.675, 116.28, 103.53],
    'std': [58.395, 57.12, 57.375],
}


def networks(node: object) -> Iterator[tuple[dict, dict]]:
    """All models on MobileNetV2, at any depth, each with its backbone."""
    if isinstance(node, dict):
        backbone = node.get('backbone') or {}
        backbone = backbone.get('backbone', backbone)  # of a TappedBackbone
        if backbone.get('type') == 'DilatedMobileNetV2' and 'data_preprocessor' in node:
            yield node, backbone
        for child in node.values():
            yield from networks(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from networks(child)


@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_weights_padding_normalisation_and_input_belong_together(path):
    expected = GOOGLE if 'google' in path.stem else TORCHVISION
    count = 0
    for stage in load_stages(Config.fromfile(path)):
        # A config may keep a network in a separate variable that nothing reads.
        read = {key: stage.config.get(key) for key in ('model', 'test_cfg')}
        for network, backbone in networks(read):
            preprocessor = network['data_preprocessor']
            found = {key: backbone.get(key) for key in ('norm_cfg', 'conv_cfg')}
            found['file'] = Path(backbone['init_cfg']['checkpoint']).name
            found |= {key: preprocessor[key] for key in ('mean', 'std')}
            assert found == expected, stage.name
            assert preprocessor['bgr_to_rgb']
            count += 1
    assert count


def test_every_small_pipeline_has_a_variant_from_googles_weights():
    stems = {path.stem for path in PIPELINES}
    plain = {stem for stem in stems if 'google' not in stem}
    assert stems - plain == {stem.replace('-v2_voc', '-v2-google_voc') for stem in plain}


@pytest.mark.parametrize(
    'path', [path for path in PIPELINES if 'google' in path.stem], ids=lambda path: path.stem
)
def test_a_variant_differs_in_the_weights_alone(path):
    plain = path.with_name(path.name.replace('-google', ''))
    own, other = (stage_entries(Config.fromfile(file)) for file in (path, plain))
    strip = [
        [(e.name, e.config.resolve(), e.takes, e.task, e.tta) for e in entries]
        for entries in (own, other)
    ]
    assert strip[0] == strip[1]
    assert not any(entry.options for entry in other)
