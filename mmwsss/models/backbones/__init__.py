"""Backbones that MMSegmentation lacks or has differently."""

from mmwsss.models.backbones.ceil_pool_resnet import CeilPoolResNet
from mmwsss.models.backbones.dilated_mobilenet_v2 import DilatedMobileNetV2
from mmwsss.models.backbones.resnet38 import ResNet38
from mmwsss.models.backbones.tapped_backbone import TappedBackbone
from mmwsss.models.backbones.vgg16_deeplab import VGG16DeepLab

__all__ = ['CeilPoolResNet', 'DilatedMobileNetV2', 'ResNet38', 'TappedBackbone', 'VGG16DeepLab']
