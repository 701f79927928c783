# DeepLab-LargeFOV on the wide ResNet-38, all convolutions trained, plain cross entropy on one
# pseudo label map.
_base_ = [
    '../_base_/models/deeplabv1_resnet38-largefov.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=10)
tta_model = dict(refiner=dict(bilateral_xy=67, bilateral_rgb=3, gaussian_xy=1))  # for ResNet
