"""tests/ mirrors mmwsss/: the tests of ``mmwsss/x/y.py`` are in ``tests/test_x/test_y.py``.

Pytest needs unique file names, so a name may be longer: ``test_cam_functional.py``.
"""

from pathlib import Path

import pytest

import mmwsss

TESTS = Path(__file__).parent
# Tests of several rooms, of configs/ and of tools/.
OTHER_FOLDERS = {'faults', 'test_whole', 'test_configs', 'test_tools'}
OTHER_FILES = {
    'box_transforms': 'scale, crop and flip move boxes and maps alike',
    'default_hooks': 'hooks that every runner has',
    'kept_scores': 'from the stage that writes them to the one that reads them',
    'mishaps': 'what a user sees of them, in all rooms of the engine',
    'parts': 'small parts of the generator',
    'proportions_of_images': 'from the file through data set and packing into the sample',
    'proportions_of_labels': 'from the stage that measures them to the one that reads them',
    'randaugment_config': "MMPreTrain's transforms on our data sets",
    'saliency_labels': 'a refiner in the loop',
}
FILES = [
    path.relative_to(TESTS)
    for path in sorted(TESTS.glob('test_*/**/test_*.py'))
    if path.relative_to(TESTS).parts[0] not in OTHER_FOLDERS
]


@pytest.mark.parametrize('path', FILES, ids=str)
def test_a_test_file_is_where_its_module_is(path):
    folders = [folder.removeprefix('test_') for folder in path.parent.parts]
    room = Path(mmwsss.__file__).parent.joinpath(*folders)
    assert room.is_dir()
    name = path.stem.removeprefix('test_')
    words = f'_{name}_'
    named = any(f'_{module.stem}_' in words for module in room.glob('*.py'))
    assert named or name in OTHER_FILES


def test_no_exception_is_left_over():
    assert {path.stem.removeprefix('test_') for path in FILES} >= OTHER_FILES.keys()
