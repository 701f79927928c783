"""A trained model with the transforms of its config, run on single images."""

import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample

from mmwsss.apis.input_images import InputImage
from mmwsss.apis.prediction_config import metainfo_of, pipeline_of, without
from mmwsss.models.checkpoint_fit import base_model, load_fitting, read_checkpoint
from mmwsss.models.class_counts import check_num_classes
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


class LoadedModel:
    """Builds the model of a config, loads its weights, and runs it on images.

    Args:
        config: Config of the model.
        weights: Its checkpoint; not needed for a model without parameters.
        device: Where it runs.
        kind: What its class must derive from.
        instead: End of the error message for a model that does not.

    Attributes:
        classes: Names of the classes, background first.
        palette: RGB colour of each.

    Raises:
        UserInputError: If the model is of the wrong kind, or config and checkpoint do not match or
            cannot be read.
    """

    def __init__(
        self, config: Config, weights: str | None, device: str, *, kind: type, instead: str
    ) -> None:
        with DefaultScope.overwrite_default_scope('mmwsss'):
            self.model = MODELS.build(config.model)
            if not isinstance(base_model(self.model), kind):
                found = type(base_model(self.model)).__name__
                raise UserInputError(f'{config.filename or "the config"}: {found} {instead}')
            # Inputs are read beforehand, so that files and arrays are treated alike.
            loader, *transforms = without(pipeline_of(config), 'LoadAnnotations')
            self._unlabelled = Compose(without(transforms, 'LoadWeakAnnotations'))
            self._labelled = Compose(transforms)  # changes its input
        self._to_float32 = loader.get('to_float32', False)
        checkpoint = None
        if any(True for _ in self.model.parameters()):
            checkpoint = self._load(weights)
        metainfo = metainfo_of(config, checkpoint)
        self.classes: tuple[str, ...] = metainfo['classes']
        self.palette: list = metainfo['palette']
        check_num_classes(self.model, self.classes)
        self.model.to(device).eval()

    def _load(self, weights: str | None) -> dict:
        if not weights:
            raise UserInputError(
                f'{type(self.model).__name__} needs trained weights. Name its checkpoint.'
            )
        checkpoint = read_checkpoint(weights)
        load_fitting(self.model, checkpoint, weights)
        return checkpoint

    def entry_of(self, image: InputImage, pixels: np.ndarray, weak: dict | None) -> dict:
        """Return what the transforms after the loader expect.

        Args:
            image: The image.
            pixels: Its pixels as read, uint8 RGB (H, W, 3).
            weak: Its weak label, or None.
        """
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        return {
            'img': bgr.astype(np.float32) if self._to_float32 else bgr,
            'img_shape': pixels.shape[:2],
            'ori_shape': pixels.shape[:2],
            'img_path': image.path,
            'img_id': image.img_id,
            'num_classes': len(self.classes) - 1,
            'seg_fields': [],
            **(weak or {}),
        }

    def run(self, entry: dict, required: frozenset[str] = frozenset()) -> SegDataSample:
        """Run transforms and model on an entry; `required` are extra fields of the sample."""
        has_label = 'gt_label' in entry or 'instances' in entry
        transforms = self._labelled if has_label else self._unlabelled
        batch = pseudo_collate([transforms(entry)])
        for samples in batch['data_samples']:
            for sample in samples if isinstance(samples, list | tuple) else [samples]:
                sample.set_metainfo({'required_fields': required})
        return self.model.test_step(batch)[0]
