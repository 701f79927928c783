# Before the first round: labels of a plain classifier, for their foreground proportions.
_base_ = ['../affinitynet/psa-cam_resnet38_voc12-448x448.py']
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    proportions=('seed_crf',),
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed_crf=dict(
                background=dict(type='PowerBackground', alpha=4),
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=10,
                        bilateral_xy=80,
                        bilateral_rgb=13,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                    )
                ],
            )
        ),
    ),
)
