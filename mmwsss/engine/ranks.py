"""Connect the processes of a launcher."""

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed


def connect_ranks(launcher: str, config: Config) -> None:
    """Join the process group of a launcher, once; without a GPU over gloo.

    mmengine selects a GPU before it connects and again for the model, which fails without one.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        config: Config whose ``env_cfg.dist_cfg`` names the backend; without a GPU it gets a wrapper
            of the model that needs none.
    """
    if launcher == 'none':
        return
    on_cpu = launcher == 'pytorch' and not torch.cuda.is_available()
    if on_cpu:
        config.setdefault(
            'model_wrapper_cfg', dict(type='MMDistributedDataParallel', device_ids=None)
        )
    if is_distributed():
        return
    if on_cpu:
        torch.distributed.init_process_group('gloo')
    else:
        init_dist(launcher, **config.get('env_cfg', {}).get('dist_cfg', {'backend': 'nccl'}))
