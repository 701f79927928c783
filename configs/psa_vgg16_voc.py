# AffinityNet from tags to a segmentation model on VGG16.
_base_ = ['./psa_voc.py']
stages = dict(
    classifier=dict(config='affinitynet/psa-cam_vgg16_voc12-448x448.py'),
    seeds=dict(config='affinitynet/psa-cam_vgg16_voc12-448x448.py'),
    affinity=dict(config='affinitynet/psa-affinity_vgg16_voc12-448x448.py'),
    walk=dict(config='affinitynet/psa-walk_vgg16_voc12.py'),
    segmentor=dict(config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py'),
    test=dict(config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py'),
)
