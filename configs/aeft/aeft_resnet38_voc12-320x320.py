# AEFT, second phase, from the weights of the warm-up: tags and erasing triplets. Its test makes
# seeds and confident regions from multi-scale CAMs (`--tta`).
_base_ = [
    '../_base_/models/aeft_resnet38.py',
    '../_base_/datasets/voc12_tags_320.py',
    '../_base_/schedules/aeft_triplet_7260.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
test_cfg = dict(
    generator=dict(
        labels=dict(
            seed=dict(background=dict(alpha=19)),
            low=dict(background=dict(alpha=2)),
            high=dict(background=dict(alpha=21)),
        )
    )
)
