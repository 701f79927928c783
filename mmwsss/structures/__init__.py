"""Data structures shared by all stages."""

from mmwsss.structures.cam_outputs import CAMOutputs, Pooled
from mmwsss.structures.contracts import (
    TRAINED_WITH,
    Background,
    CAMSource,
    Checked,
    Context,
    Encode,
    GivesOutputs,
    HasPhases,
    HasTrainingSettings,
    Labeler,
    LabelPart,
    Normalizer,
    Objective,
    Pooling,
    Refiner,
    StagePlan,
    check_contract,
)
from mmwsss.structures.errors import UserInputError
from mmwsss.structures.json_files import read_json, write_json
from mmwsss.structures.labels import (
    BACKGROUND,
    IGNORE_INDEX,
    check_class_count,
    image_tags,
    multi_hot,
    seg_map_from_scores,
    to_class_index,
    to_seg_label,
)
from mmwsss.structures.names import check_folder, check_name
from mmwsss.structures.proportion_files import (
    Proportions,
    read_proportions,
    write_proportions,
)
from mmwsss.structures.score_files import (
    is_valid_scores,
    manifest_stamp,
    read_scores,
    settings_stamp,
    write_scores,
)
from mmwsss.structures.sizes import size_of

__all__ = [
    'BACKGROUND',
    'IGNORE_INDEX',
    'TRAINED_WITH',
    'Background',
    'CAMOutputs',
    'CAMSource',
    'Checked',
    'Context',
    'Encode',
    'GivesOutputs',
    'HasPhases',
    'HasTrainingSettings',
    'LabelPart',
    'Labeler',
    'Normalizer',
    'Objective',
    'Pooled',
    'Pooling',
    'Proportions',
    'Refiner',
    'StagePlan',
    'UserInputError',
    'check_class_count',
    'check_contract',
    'check_folder',
    'check_name',
    'image_tags',
    'is_valid_scores',
    'manifest_stamp',
    'multi_hot',
    'read_json',
    'read_proportions',
    'read_scores',
    'seg_map_from_scores',
    'settings_stamp',
    'size_of',
    'to_class_index',
    'to_seg_label',
    'write_json',
    'write_proportions',
    'write_scores',
]
