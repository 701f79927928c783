# Classifier with learned thresholds on MobileNetV2. It continues from the weights of a plain
# classifier, so channels are not reduced and the temperature starts at 1. From new weights and a
# temperature of 10, the few iterations of the small settings end with all probabilities at 0. A
# larger weight of the proportions prevents this for small objects; it was chosen on 75 images with
# true masks (docs/results.md).
_base_ = ['./cam_mobilenet-v2.py']
model = dict(
    head=dict(
        context=dict(
            type='ThresholdBranch', in_channels=512, num_classes=20, channels=None, init_scale=1.0
        )
    ),
    objectives=[dict(type='SpatialBCE', kl_weight=5.0)],
    rectify='never',
)
# Probabilities and thresholds learn in turns, so some parameters get no gradient.
find_unused_parameters = True
