"""Compiles the backbone of a model, as requested by the config key ``compile``."""

from mmengine.config import Config
from torch import nn

from mmwsss.structures import UserInputError


def compile_backbone(model: nn.Module, config: Config) -> bool:
    """Compile the backbone in its first call if the config sets ``compile``; tell if it does.

    Unlike mmengine, this does not compile the whole step. What follows the backbone depends on the
    number of objects in each image, so most batches would compile the step anew.

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
