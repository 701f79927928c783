# Tags, the published settings of RCA (CVPR 2022): whole images resized to 368 x 368, colour jitter.
_base_ = ['./voc12.py', '../test_time/multi_scale_cam.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(368, 368), keep_ratio=False, backend='pillow'),
    dict(type='mmpretrain.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(supervision='tag', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='tag', pipeline={{_base_.tta_pipeline}}))
