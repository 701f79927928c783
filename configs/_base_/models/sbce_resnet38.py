# Classifier with learned thresholds on the wide ResNet-38 (Spatial-BCE, ECCV 2022): 4096 channels
# reduced to 128, one linear classifier, one threshold and one temperature per class.
_base_ = ['./cam_resnet38.py']
model = dict(
    head=dict(
        in_channels=128,
        context=dict(type='ThresholdBranch', in_channels=4096, num_classes=20, channels=128),
    ),
    objectives=[dict(type='SpatialBCE')],
    rectify='never',
)
# Probabilities and thresholds learn in turns, so some parameters get no gradient.
find_unused_parameters = True
