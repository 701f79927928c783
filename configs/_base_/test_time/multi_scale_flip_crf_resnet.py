# multi_scale_flip_crf.py with the CRF of DeepLab-V2 for ResNets, whose maps are finer than VGG16's.
_base_ = ['./multi_scale_flip_crf.py']
tta_model = dict(refiner=dict(bilateral_xy=67, bilateral_rgb=3, gaussian_xy=1))
