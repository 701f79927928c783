"""Necks between backbones and heads."""

from mmwsss.models.necks.concat_conv_neck import ConcatConvNeck

__all__ = ['ConcatConvNeck']
