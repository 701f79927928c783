"""Number of cores that the worker processes of a rank may keep busy."""

import os
import platform
from pathlib import Path

from mmengine.dist import all_gather_object

_CGROUPS = Path('/sys/fs/cgroup')
_OWN_CGROUPS = Path('/proc/self/cgroup')


def free_cores() -> int:
    """Count the cores for worker processes of this rank, at least 1.

    Ranks of a node that may use the same cores share them. Of three or more cores, one is left to
    the main process and its data loader. With fewer cores, the workers are the bottleneck more
    often than the main process, which waits for them.

    This is a collective: if there are several ranks, each of them must call it.
    """
    node, cores = platform.node(), _usable_cores()
    neighbours = [other for name, other in all_gather_object((node, cores)) if name == node]
    share = len(cores) // sum(not cores.isdisjoint(other) for other in neighbours)
    quota = cgroup_quota()
    if quota is not None:
        share = min(share, int(quota / len(neighbours)))
    return max(share - 1, min(share, 2), 1)


def _usable_cores() -> set[int]:
    """Indices of the cores that this process may run on, as a Slurm step or taskset sets them."""
    if hasattr(os, 'sched_getaffinity'):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))  # macOS and Windows


def cgroup_quota(own: Path = _OWN_CGROUPS, mount: Path = _CGROUPS) -> float | None:
    """CPU time that the cgroups of this process grant, in cores; None without a limit.

    This is the limit of a container or a batch job; of nested cgroups, the tightest limit counts.

    Args:
        own: File that lists the cgroups of this process, one line ``number:controllers:path`` each.
        mount: Where cgroups are mounted: version 2 has ``cpu.max``, version 1 in ``cpu/`` the
            files ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``.
    """
    if not own.exists():
        return None
    quotas = []
    for line in own.read_text().splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers and 'cpu' not in controllers.split(','):
            continue  # version 1, another resource
        root = mount / 'cpu' if controllers else mount
        # In a container the path may be that of the host, of which only the root is mounted.
        below = Path(path.lstrip('/'))
        quotas += [_quota(root / folder) for folder in (below, *below.parents)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    try:
        if (folder / 'cpu.max').exists():
            granted, period = (folder / 'cpu.max').read_text().split()
        else:
            granted = (folder / 'cpu.cfs_quota_us').read_text()
            period = (folder / 'cpu.cfs_period_us').read_text()
        return int(granted) / int(period) if int(granted) > 0 else None
    except (OSError, ValueError):  # not there, or 'max'
        return None
