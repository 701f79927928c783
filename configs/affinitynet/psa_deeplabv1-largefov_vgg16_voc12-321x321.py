# Segmentation stage on walked labels: DeepLab-LargeFOV on VGG16.
_base_ = ['../bana/bana-ce_deeplabv1-largefov_vgg16_voc12-321x321.py']
