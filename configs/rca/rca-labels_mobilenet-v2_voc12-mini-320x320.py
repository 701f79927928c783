# Labels of RCA on MobileNetV2, as those of the plain CAM.
_base_ = ['../cam/cam-crf_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    head=dict(
        in_channels=1024,
        context=dict(type='SemanticAggregation', in_channels=512, num_classes=20),
    )
)
