import pytest
import torch
import torch.nn.functional as F
import torchvision.models as torchvision_models
from mmseg.models.backbones import MobileNetV2, ResNet
from torch import nn
from torch.testing import assert_close

from mmwsss.apis.torchvision_weights import convert, mobilenet_name
from mmwsss.apis.vgg16_weights import CAFFE_MEAN_RGB, TORCHVISION_MEAN_RGB, TORCHVISION_STD_RGB
from mmwsss.models.backbones import VGG16DeepLab
from mmwsss.structures import UserInputError


def randomised(name, **options):
    """Torchvision's network with random weights and non-initial statistics."""
    torch.manual_seed(0)
    model = getattr(torchvision_models, name)(weights=None, **options).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.8, 1.2)
            for tensor in (module.bias.data, module.running_mean):
                tensor.uniform_(-0.1, 0.1)
    return model


@pytest.fixture
def image(rng):
    return torch.randn(1, 3, 97, 130, generator=rng)


@torch.no_grad()
def test_features_of_mobilenet_equal_those_of_torchvision(image):
    source = randomised('mobilenet_v2')
    own = MobileNetV2(out_indices=(6,))
    own.load_state_dict(convert('mobilenet_v2', source.state_dict()), strict=True)
    own.eval()  # returns nothing
    assert len(own.state_dict()) == 306
    assert_close(own(image), source.features[:18](image), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('depth', [50, pytest.param(101, marks=pytest.mark.slow)])
@torch.no_grad()
def test_features_of_resnet_equal_those_of_torchvision(image, depth):
    source = randomised(f'resnet{depth}')
    own = ResNet(depth, style='pytorch', out_indices=(3,))
    own.load_state_dict(convert(f'resnet{depth}', source.state_dict()), strict=True)
    own.eval()
    source.avgpool, source.fc = nn.Identity(), nn.Identity()
    (feats,) = own(image)
    expected = source(image).view(feats.shape)
    assert_close(feats, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@torch.no_grad()
def test_convolutions_of_vgg16_equal_those_of_torchvision(rng):
    source = randomised('vgg16')
    own = VGG16DeepLab(out_indices=(0, 4)).eval()
    own.load_state_dict(
        {k: v for k, v in convert('vgg16', source.state_dict()).items() if not k.startswith('fc')}
    )
    rgb = torch.rand(1, 3, 33, 40, generator=rng) * 255
    mean, std, caffe_mean = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (TORCHVISION_MEAN_RGB, TORCHVISION_STD_RGB, CAFFE_MEAN_RGB)
    )
    expected = source.features[:4]((rgb / 255 - mean) / std)
    first, _ = own((rgb - caffe_mean).flip(1))
    # At the border, the zeros of the padding represent another colour.
    inside = (..., slice(2, -2), slice(2, -2))
    assert_close(first[inside], expected[inside], rtol=1e-5, atol=1e-5)
    # DeepLab's poolings differ, so later convolutions are compared one by one.
    convs = [module for module in source.features if isinstance(module, nn.Conv2d)]
    names = [name for name, module in own.named_children() if isinstance(module, nn.Conv2d)]
    for name, conv in list(zip(names, convs, strict=True))[1:]:
        x = torch.randn(1, conv.in_channels, 5, 5, generator=rng)
        mine = getattr(own, name)
        assert_close(F.conv2d(x, mine.weight, mine.bias), F.conv2d(x, conv.weight, conv.bias))


@pytest.mark.parametrize(
    ('name', 'own'),
    [
        ('features.0.0.weight', 'conv1.conv.weight'),
        ('features.0.1.running_var', 'conv1.bn.running_var'),
        ('features.1.conv.0.0.weight', 'layer1.0.conv.0.conv.weight'),
        ('features.1.conv.1.weight', 'layer1.0.conv.1.conv.weight'),
        ('features.1.conv.2.bias', 'layer1.0.conv.1.bn.bias'),
        ('features.5.conv.1.1.bias', 'layer3.1.conv.1.bn.bias'),
        ('features.17.conv.2.weight', 'layer7.0.conv.2.conv.weight'),
        ('features.17.conv.3.running_mean', 'layer7.0.conv.2.bn.running_mean'),
        ('features.18.0.weight', None),
        ('classifier.1.weight', None),
    ],
)
def test_names_of_mobilenet(name, own):
    assert mobilenet_name(name) == own


@torch.no_grad()
def test_vgg16_with_its_own_poolings_and_input_equals_torchvision(image):
    source = randomised('vgg16')
    own = VGG16DeepLab(out_indices=(0, 1, 2, 3), pool_size=2, pool5=False).eval()
    converted = convert('vgg16_rgb', source.state_dict())
    own.load_state_dict({k: v for k, v in converted.items() if not k.startswith('fc')})
    # Before each pooling; dilation begins after the last of these.
    expected = [source.features[:end](image) for end in (4, 9, 16, 23)]
    assert_close(list(own(image)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('name', ['mobilenet_v2', 'resnet50', 'vgg16', 'vgg16_rgb'])
def test_another_network_is_refused(name):
    with pytest.raises(UserInputError, match="not torchvision's"):
        convert(name, {'stem.weight': torch.zeros(1)})


def test_a_network_of_another_depth_is_refused():
    with torch.device('meta'):
        source = torchvision_models.resnet50(weights=None).state_dict()
    with pytest.raises(UserInputError, match='missing tensors'):
        convert('resnet101', source)
