# BANA, segmentation stage on mmseg's DeepLabV3 with a ResNet-101 pretrained only on ImageNet. There
# is no auxiliary head: it would learn pixels where the label maps differ as if they agreed.
_base_ = [
    '../_base_/models/deeplabv3_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(
        _scope_='mmwsss',
        type='NoiseAwareASPPHead',
        loss_decode=dict(_delete_=True, type='NoiseAwareLoss'),
    ),
    auxiliary_head=None,
)
train_dataloader = dict(batch_size=10)
