"""Gives feature maps that a backbone does not return itself."""

from collections.abc import Sequence
from functools import partial

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


@MODELS.register_module()
class TappedBackbone(BaseModule):
    """Backbone whose feature maps are the outputs of named modules.

    Backbones return the outputs of their stages, but not those of the stem or of a layer within a
    stage. Names are those of ``named_modules()``, such as ``'maxpool'`` and ``'layer1'`` of mmseg's
    ResNet.

    Args:
        backbone: Config of the backbone. Its ``out_indices`` do not matter, except that layers
            after the last of them may not run.
        taps: Names of the modules, in the order of the feature maps.
        init_cfg: Weight initialisation, in addition to that of the backbone.

    Raises:
        UserInputError: If the backbone has no module of that name or, in ``forward``, if a module
            did not run.

    Shape:
        images (B, 3, H, W); one feature map per name.
    """

    def __init__(
        self, backbone: dict, taps: Sequence[str], *, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.taps = tuple(taps)
        known = dict(self.backbone.named_modules())
        if unknown := [name for name in self.taps if name not in known]:
            raise UserInputError(
                f'TappedBackbone: {type(self.backbone).__name__} has no module {unknown[0]!r} for '
                f'`taps`. Its parts are {", ".join(n for n, _ in self.backbone.named_children())}.'
            )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Run the backbone and collect the outputs of the named modules."""
        found: dict[str, Tensor] = {}
        modules = [self.backbone.get_submodule(name) for name in self.taps]
        hooks = [
            module.register_forward_hook(partial(_keep, found, name))
            for module, name in zip(modules, self.taps, strict=True)
        ]
        try:
            self.backbone(images)
        finally:
            for hook in hooks:
                hook.remove()
        if missing := [name for name in self.taps if name not in found]:
            raise UserInputError(
                f'TappedBackbone: the module {missing[0]!r} of {type(self.backbone).__name__} did '
                'not run. Name another one in `taps`, or raise its `out_indices`.'
            )
        return tuple(found[name] for name in self.taps)


def _keep(
    found: dict[str, Tensor], name: str, module: nn.Module, inputs: object, result: Tensor
) -> None:
    found[name] = result
