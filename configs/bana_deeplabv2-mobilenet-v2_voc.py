# Small BANA with the head of the paper's second network.
_base_ = ['./bana_voc.py']
stages = dict(
    classifier=dict(config='bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    labels=dict(config='bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    segmentor=dict(config='bana/bana-nal_deeplabv2_mobilenet-v2_voc12-mini-320x320.py'),
    test=None,
)
