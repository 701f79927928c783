"""Networks, their parts and losses."""

import mmseg.models  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.models import (
    backbones,
    classifiers,
    contexts,
    heads,
    losses,
    necks,
    objectives,
    poolings,
    segmentors,
)
from mmwsss.models.affinity_network import AffinityNetwork
from mmwsss.models.boundary_network import BoundaryNetwork
from mmwsss.models.data_preprocessor import WeakSegDataPreProcessor
from mmwsss.models.pretrained import Pretrained
from mmwsss.models.regions import RegionMemory

__all__ = [
    'AffinityNetwork',
    'BoundaryNetwork',
    'Pretrained',
    'RegionMemory',
    'WeakSegDataPreProcessor',
    'backbones',
    'classifiers',
    'contexts',
    'heads',
    'losses',
    'necks',
    'objectives',
    'poolings',
    'segmentors',
]
