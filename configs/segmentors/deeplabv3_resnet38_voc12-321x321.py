# mmseg's DeepLabV3 on the wide ResNet-38, plain cross entropy on one pseudo label map.
_base_ = [
    'mmseg::_base_/models/deeplabv3_r50-d8.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
# Inherited parts are looked up in mmseg (_scope_); those that change come from mmwsss.
data_preprocessor = dict(_scope_='mmwsss', type='WeakSegDataPreProcessor')
model = dict(
    data_preprocessor=data_preprocessor,
    pretrained=None,
    backbone=dict(
        _delete_=True,
        _scope_='mmwsss',
        type='ResNet38',
        out_indices=(1, 2),
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    decode_head=dict(
        in_channels=4096, in_index=1, num_classes=21, loss_decode=dict(avg_non_ignore=True)
    ),
    auxiliary_head=dict(
        in_channels=1024, in_index=0, num_classes=21, loss_decode=dict(avg_non_ignore=True)
    ),
)
train_dataloader = dict(batch_size=10)
