# Segmentation stage: mmseg's DeepLabV3 on the wide ResNet-38.
_base_ = ['../affinitynet/psa_deeplabv3_resnet38_voc12-321x321.py']
