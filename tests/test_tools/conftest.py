import pytest

from mmwsss.models.backbones import resnet38, vgg16_deeplab


@pytest.fixture
def narrow_backbones(monkeypatch):
    """ResNet38 and VGG16DeepLab with all their layers, each with few channels."""
    stages = {
        2: (3, 3, 3, 2, 1, 1),
        3: (3, 4, 4, 2, 1, 1),
        4: (6, 5, 5, 2, 1, 1),
        5: (3, 5, 6, 1, 1, 2),
    }
    monkeypatch.setattr(resnet38, '_STAGES', stages)
    monkeypatch.setattr(resnet38, '_BOTTLENECKS', {6: (8, 4), 7: (12, 4)})
    monkeypatch.setattr(resnet38, '_STEM_CHANNELS', 2)
    blocks = ((2, 2, 1, 2), (2, 3, 1, 2), (3, 4, 1, 2), (3, 5, 1, 1), (3, 6, 2, 1))
    monkeypatch.setattr(vgg16_deeplab, '_BLOCKS', blocks)
    monkeypatch.setattr(vgg16_deeplab, '_FC_CHANNELS', 7)
