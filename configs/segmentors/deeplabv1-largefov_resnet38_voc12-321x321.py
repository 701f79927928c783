# DeepLab-LargeFOV on the wide ResNet-38, all convolutions trained, plain cross entropy on one
# pseudo label map; scale 0.5 to 2 as in AffinityNet's paper. Rates, iterations and batch were not
# published; they are those of BANA's segmentor on ResNet-101.
_base_ = [
    '../_base_/models/deeplabv1_resnet38-largefov.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadImage', to_float32=True),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.5, 2.0)),
    dict(type='PadRandomCrop', crop_size=321),
    dict(type='RandomFlip', prob=0.5),
    dict(type='BrightnessContrastSaturation'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=10, dataset=dict(pipeline=train_pipeline))
