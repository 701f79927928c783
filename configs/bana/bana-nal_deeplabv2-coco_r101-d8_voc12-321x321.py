# BANA, segmentation stage on the paper's second network with the paper's initial weights, from
# ImageNet and the *masks* of COCO. Compare its figures only with those from the same weights.
# tools/model_converters/deeplabv2_to_mmseg.py makes the file.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(mean=[104.008, 116.669, 122.675]),
    backbone=dict(
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/deeplabv2_resnet101_coco.pth')
    ),
    decode_head=dict(type='NoiseAwareDeepLabV2Head'),
)
train_dataloader = dict(batch_size=10)
