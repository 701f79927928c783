"""Classifier trained from weak labels, whose class scores at each position are the CAMs."""

from collections.abc import Iterable
from dataclasses import replace

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.cams.functional import Rectify, activation_maps, check_rectification, resized_mean
from mmwsss.cams.padding import Padding, crop_padding
from mmwsss.models.objectives.names import add_losses, build_objectives
from mmwsss.registry import MODELS
from mmwsss.structures import (
    CAMOutputs,
    CAMSource,
    Head,
    Objective,
    UserInputError,
    check_contract,
    size_of,
)


@MODELS.register_module()
class CAMClassifier(CAMSource):
    """Backbone, optional neck, CAM head and objectives.

    Args:
        backbone: Config of the backbone; it returns a tuple of feature maps.
        head: Config of the head, see :class:`CAMHead`.
        objectives: Configs of the training objectives; their losses are summed. Each may have a
            ``name`` by which hooks find it, see :func:`build_objectives`.
        neck: Config of a module that turns a tuple of feature maps into another one.
        data_preprocessor: Config of the data preprocessor.
        align_corners: Corner convention when maps are resized to the image.
        rectify: Whether to remove the negative part of the maps before or after that resize, or
            never, for methods whose maps are logits.
        flip: Add the maps of the mirrored image, run in the same batch.
        use_image_label: Give maps of only the present classes if the sample has a weak label,
            otherwise of all classes.
        square_root: Take the square root of the maps before that resize.
        resize_multiple: Resize maps to the next multiples of this number of pixels and crop them to
            the image, see :func:`activation_maps`; 1 resizes them to the image.
        init_cfg: Weight initialisation.

    Raises:
        ValueError: If an objective requires a part that neither pooling nor context provides, or if
            ``square_root`` is set and ``rectify`` is not ``'before_resize'``.
    """

    rectify: Rectify

    def __init__(
        self,
        backbone: dict,
        head: dict,
        objectives: list[dict],
        *,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        align_corners: bool = False,
        rectify: Rectify = 'before_resize',
        flip: bool = False,
        use_image_label: bool = True,
        square_root: bool = False,
        resize_multiple: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        check_rectification(rectify, square_root)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        self.head: Head = check_contract(MODELS.build(head), Head, 'head')
        # A ModuleList, whose type does not tell what it holds.
        self.objectives: Iterable[Objective] = build_objectives(objectives)  # type: ignore[assignment]
        self.align_corners = align_corners
        self.rectify = rectify
        self.flip = flip
        self.maps_per_view = 1 + int(flip)
        self.use_image_label = use_image_label
        self.square_root = square_root
        self.resize_multiple = resize_multiple
        self._check_requirements()

    def _check_requirements(self) -> None:
        for objective in self.objectives:
            missing = set(objective.requires) - set(self.head.provides)
            if missing:
                raise ValueError(
                    f'{type(objective).__name__} requires {sorted(missing)}, but the head provides '
                    f'{sorted(self.head.provides) or "nothing beyond scores and logits"}. Choose a '
                    'pooling or context whose `provides` names it (docs/methods.md lists them).'
                )

    def encode(self, images: Tensor, data_samples: list | None = None) -> CAMOutputs:
        """Run backbone, neck and head on normalised images (B, 3, H, W)."""
        feats = self.backbone(images)
        if self.neck is not None:
            feats = self.neck(feats)
        return replace(self.head(feats, data_samples), images=images)

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[SegDataSample] | CAMOutputs:
        """Dispatch to :meth:`loss`, :meth:`predict` or :meth:`encode`, as the runner asks."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)  # type: ignore[arg-type]  # there are some
        if mode == 'predict':
            return self.predict(inputs, data_samples)  # type: ignore[arg-type]  # there are some
        return self.encode(inputs, data_samples)

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Sum the losses of the objectives on one batch.

        An objective with ``enabled`` False is skipped. If it is ``stateful``, it is still called to
        follow the training, but returns no loss. Equal keys are told apart, see :func:`add_losses`.
        """
        outputs = self.encode(inputs, data_samples)
        losses: dict[str, Tensor] = {}
        for objective in self.objectives:
            if not objective.enabled and not objective.stateful:
                continue
            own = objective(outputs, data_samples, lambda images: self.encode(images, data_samples))
            add_losses(losses, own, objective.name)
        return losses

    def predict(self, inputs: Tensor, data_samples: list[SegDataSample]) -> list[SegDataSample]:
        """Fill each sample with ``pred_score``, ``cams``, ``cam_label`` and what it requires.

        Its metainfo ``required_fields`` may list ``feats``, ``class_weights``, ``threshold_logit``
        and ``log_temperature``.

        Images of a batch share one size. Padding by the preprocessor is cut off the maps before
        anything is computed from them, including ``pred_score``. Annotations are returned in pixels
        of the original image.
        """
        paddings = {_padding(sample) for sample in data_samples}
        if len(paddings) > 1:  # one by one, because preprocessors pad all images of a batch alike
            pairs = zip(inputs.split(1), data_samples, strict=True)
            return [self.predict(image, [sample])[0] for image, sample in pairs]
        batch = torch.cat([inputs, inputs.flip(-1)]) if self.flip else inputs
        outputs = self.encode(batch)
        if any(padding := paddings.pop()):
            outputs = self._without_padding(outputs, inputs, padding)
        scores = self.head.image_scores(outputs)
        maps = self.head.foreground(outputs.score_map)  # (B or 2B, K, h, w)
        num_images = len(data_samples)
        for i, sample in enumerate(data_samples):
            sample.pred_score = scores[i]
            sample.cam_label = self._cam_label(sample)
            views = [maps[i]] + ([maps[num_images + i].flip(-1)] if self.flip else [])
            sample.cams = sum(self._cams(view, sample) for view in views)
            self._add_fields(sample, outputs, i, num_images)
            annotations_to_original(sample)
        return data_samples

    def _without_padding(self, outputs: CAMOutputs, inputs: Tensor, padding: Padding) -> CAMOutputs:
        """Cut the padding off all maps; the maps of mirrored images have it on the other side."""
        size, grid = size_of(inputs), outputs.score_map.shape[-2:]
        sides = (padding, padding.mirrored)

        def crop(maps: Tensor) -> Tensor:
            if maps.dim() != 4 or maps.shape[-2:] != grid:  # not a map of the image
                return maps
            views = zip(maps.split(len(inputs)), sides, strict=False)
            cropped = [
                crop_padding(view, size, side, align_corners=self.align_corners)
                for view, side in views
            ]
            return torch.cat(cropped)

        parts = {name: crop(part) for name, part in outputs.parts.items()}
        return replace(
            outputs, feats=crop(outputs.feats), score_map=crop(outputs.score_map), parts=parts
        )

    def _add_fields(
        self, sample: SegDataSample, outputs: CAMOutputs, index: int, num_images: int
    ) -> None:
        """Add what a sample requires; the batch has image ``index`` and maybe its mirror image."""
        required = frozenset(sample.get('required_fields', ()))
        if 'feats' in required:
            sample.feats = _unflip(outputs.feats[index], sample)
        if 'class_weights' in required:
            sample.class_weights = self.head.class_weights
        if not required & {'threshold_logit', 'log_temperature'}:
            return
        if 'threshold_map' not in self.head.provides:
            raise UserInputError(
                'The label generator needs the thresholds of the classifier, but the head '
                f'provides {sorted(self.head.provides) or "nothing beyond scores and logits"}. '
                "Train a classifier with context=dict(type='ThresholdBranch', ...), or choose "
                'other parts.'
            )
        # No need to flip back: a resized map and its mirror image have the same mean.
        maps = outputs.parts['threshold_map'][index::num_images].float()  # (1 or 2, K, h, w)
        means = resized_mean(maps, sample.ori_shape, align_corners=self.align_corners)
        sample.threshold_logit = means.mean(dim=0)
        sample.log_temperature = outputs.parts['log_temperature']

    def _cam_label(self, sample: SegDataSample) -> Tensor:
        if self.use_image_label and 'gt_label' in sample:
            return sample.gt_label
        return torch.arange(self.head.num_classes, device=sample.pred_score.device)

    def _cams(self, score_map: Tensor, sample: SegDataSample) -> Tensor:
        present = _unflip(score_map[sample.cam_label], sample)
        return activation_maps(
            present,
            sample.ori_shape,
            align_corners=self.align_corners,
            rectify=self.rectify,
            square_root=self.square_root,
            resize_multiple=self.resize_multiple,
        )


def _padding(sample: SegDataSample) -> Padding:
    """Padding that the preprocessor added, in the form that it notes for mmseg's segmentors."""
    return Padding(*sample.get('img_padding_size', (0, 0, 0, 0)))


def _unflip(maps: Tensor, sample: SegDataSample) -> Tensor:
    """Mirror maps (..., h, w) back when the view was flipped horizontally."""
    return maps.flip(-1) if sample.get('flip', False) else maps


def annotations_to_original(sample: SegDataSample) -> None:
    """Map a view's boxes and background mask back to pixels of the original image, in place."""
    height, width = sample.ori_shape
    if 'gt_instances' in sample:
        boxes = sample.gt_instances.bboxes
        if sample.get('flip', False):
            view_width = sample.img_shape[1]
            boxes = torch.stack(
                [view_width - boxes[:, 2], boxes[:, 1], view_width - boxes[:, 0], boxes[:, 3]], 1
            )
        scale_w, scale_h = sample.get('scale_factor', (1.0, 1.0))
        scale = torch.tensor([scale_w, scale_h] * 2, dtype=boxes.dtype)
        sample.gt_instances.bboxes = boxes / scale.to(boxes.device, non_blocking=True)
    if 'background_mask' in sample:
        mask = _unflip(sample.background_mask.data, sample)
        if mask.shape[-2:] != (height, width):
            mask = F.interpolate(mask[None].float(), (height, width))[0].to(mask.dtype)
        sample.background_mask = PixelData(data=mask)
