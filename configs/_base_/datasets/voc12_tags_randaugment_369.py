# Tags for Spatial-BCE (ECCV 2022): the whole image warped to 369x369, then RandAugment, two of
# fifteen operations with probability 0.5 each.
#
# Shear, Translate, Rotate and Cutout change the share of the picture that a class covers. As in the
# published code, the expected proportion of the image (`proportion_file`) is not adapted.
# Magnitudes are uniform between zero and the published maximum (`magnitude_std='inf'`); the
# published code draws from nine steps in that range.
_base_ = ['./voc12.py', '../test_time/multi_scale_cam.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(369, 369), keep_ratio=False, backend='pillow'),
    dict(
        type='mmpretrain.RandAugment',
        num_policies=2,
        magnitude_level=10,
        magnitude_std='inf',
        hparams=dict(pad_val=(128, 128, 128)),  # one number would only fill the first channel
        policies=[
            dict(type='mmpretrain.Invert'),
            # Filled with BGR.
            dict(type='mmpretrain.Cutout', magnitude_range=(0, 20), pad_val=(113, 122, 125)),
            dict(type='mmpretrain.Sharpness', magnitude_range=(0, 0.9)),
            dict(type='mmpretrain.AutoContrast'),
            dict(type='mmpretrain.Posterize', magnitude_range=(8, 4)),
            dict(type='mmpretrain.Shear', magnitude_range=(0, 0.3), direction='horizontal'),
            dict(type='mmpretrain.Translate', magnitude_range=(0, 0.453), direction='horizontal'),
            dict(type='mmpretrain.Translate', magnitude_range=(0, 0.453), direction='vertical'),
            dict(type='mmpretrain.Shear', magnitude_range=(0, 0.3), direction='vertical'),
            # Counterclockwise alone.
            dict(type='mmpretrain.Rotate', magnitude_range=(0, -30), random_negative_prob=0.0),
            dict(type='mmpretrain.Equalize'),
            dict(type='mmpretrain.Contrast', magnitude_range=(0, 0.9)),
            dict(type='mmpretrain.ColorTransform', magnitude_range=(0, 0.9)),
            dict(type='mmpretrain.Solarize', magnitude_range=(256, 0)),
            dict(type='mmpretrain.Brightness', magnitude_range=(0, 0.9)),
        ],
    ),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=12,
    dataset=dict(
        supervision='tag',
        proportion_file='',  # of a label stage, or of tools/analysis_tools/estimate_proportions.py
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(dataset=dict(supervision='tag', pipeline={{_base_.tta_pipeline}}))
