# Spatial-BCE: starts from a plain classifier, with new thresholds.
_base_ = ['./tiny-warmup.py']
model = dict(
    head=dict(
        context=dict(
            type='ThresholdBranch', in_channels=64, num_classes=4, channels=None, init_scale=1.0
        )
    ),
    objectives=[dict(type='SpatialBCE', kl_weight=5.0)],
)
find_unused_parameters = True
train_cfg = dict(max_iters=4)
custom_hooks = [dict(type='AlternatingPhaseHook', period=2, first=1)]
load_new = ('head.context.',)
