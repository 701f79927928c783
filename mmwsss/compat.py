"""What differs between package versions, met in one place."""


def apply() -> None:
    """Make the installed packages work together; safe to call twice."""
    import torch

    library = torch.library.Library('torchvision', 'FRAGMENT')
    library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    globals()['_library'] = library
