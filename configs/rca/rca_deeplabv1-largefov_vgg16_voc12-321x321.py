# Segmentation stage: DeepLab-LargeFOV on VGG16.
_base_ = ['../affinitynet/psa_deeplabv1-largefov_vgg16_voc12-321x321.py']
