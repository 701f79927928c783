# DeepLab-V2 on ResNet-101 with initial weights from the *masks* of COCO, as in some of the papers;
# not comparable with weights from ImageNet only. tools/model_converters/deeplabv2_to_mmseg.py makes
# the file.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_deeplabv2_321.py',
    '../_base_/schedules/deeplabv2_20k.py',
    '../_base_/test_time/crf_resnet.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(mean=[104.008, 116.669, 122.675]),
    backbone=dict(
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/deeplabv2_resnet101_coco.pth')
    ),
)
