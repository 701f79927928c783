# BANA, segmentation stage on the paper's second network: ResNet-101, four dilated branches, cosine
# classifier; initial weights only from ImageNet.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
model = dict(type='EncoderDecoder', decode_head=dict(type='NoiseAwareDeepLabV2Head'))
train_dataloader = dict(batch_size=10)
