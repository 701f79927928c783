"""Compiles the backbone of a model, as the config key ``compile`` asks."""

from mmengine.config import Config
from torch import nn

from mmwsss.structures import UserInputError


def compile_backbone(model: nn.Module, config: Config) -> bool:
    """Compile the backbone in its first call if the config says ``compile``; say if it does.

    Not the whole step, as mmengine would: what follows the backbone depends on the number of
    objects in every image, so that step would be compiled anew for most batches.

    Args:
        model: The model, without the wrapper of several ranks.
        config: Config of its stage; ``compile`` is True, False or a dict of options of
            ``torch.compile``.

    Raises:
        UserInputError: If it is anything else, PyTorch refuses an option, or the model has no
            backbone.
    """
    options = config.get('compile')
    if options is None or options is False:
        return False
    if options is True:
        options = {}
    backbone = getattr(model, 'backbone', None)
    if not isinstance(options, dict) or backbone is None:
        raise UserInputError(
            f'compile = {options!r}: expected True, False or options of torch.compile such as '
            "dict(mode='max-autotune'), and a model with a backbone. Correct it, or leave it out."
        )
    try:
        backbone.compile(**options)
    except (AssertionError, RuntimeError, TypeError) as error:  # as PyTorch refuses an option
        line = ' '.join(str(error).split())  # long where it lists all options
        raise UserInputError(f'compile = {dict(options)}: {line:.200}') from error
    return True
