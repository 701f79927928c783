# Seeds, a CRF with background (1 - max)^4 whose background is replaced by saliency maps, then
# labels where both are clear. Maps are PNGs <img_id>.png of the size of the image.
_base_ = ['./rca_labels.py']
saliency_folder = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012/saliency_map'
test_cfg = dict(
    generator=dict(
        labels=dict(
            saliency=dict(
                start='seed_crf',
                refiners=[dict(type='SaliencyBackground', folder=saliency_folder)],
                labeler=dict(type='ConflictLabeler', saliency_threshold=32),
            )
        )
    )
)
