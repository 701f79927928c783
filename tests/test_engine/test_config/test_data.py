from pathlib import Path

import pytest
from mmengine.config import Config
from photographs import CLASSES, IDS, write_photographs

from mmwsss.engine.config.data import finish_config, read_data, use_data
from mmwsss.engine.config.files import read_config
from mmwsss.structures import UserInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
CLASSIFIER = 'demo/psa-cam_resnet18_shapes-96x96'
SEGMENTOR = 'demo/psa-ce_resnet18_shapes-96x96'
AFFINITY = 'demo/psa-affinity_resnet18_shapes-96x96'
BOXES = 'demo/bana-classifier_resnet18_shapes-96x96'
SEEDS = 'affinitynet/psa-seed_voc12-mini'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = write_photographs(tmp_path_factory.mktemp('photographs'), masks=True)
    (folder / 'val.txt').write_text('\n'.join(IDS[:3]), encoding='utf-8')
    (folder / 'no masks.txt').write_text(IDS[4], encoding='utf-8')
    (folder / f'masks/{IDS[4]}.png').unlink()
    return folder


@pytest.fixture
def describe(root):
    def data(**changes):
        return dict(root=str(root), classes=CLASSES, labels='tags.json', **changes)

    return data


def load(name):
    return read_config(CONFIGS / f'{name}.py')


def splits(config):
    return {
        name.partition('_')[0]: config[name].dataset.split for name in LOADERS if config.get(name)
    }


def test_a_training_and_its_labels_read_the_images_of_train(describe):
    config = load(CLASSIFIER)
    before = config.train_dataloader.dataset.pipeline
    assert use_data(config, describe(val='val.txt', masks='masks')) == {}
    assert splits(config) == {'train': 'train', 'test': 'train'}
    dataset = config.train_dataloader.dataset
    assert (dataset.type, dataset.supervision) == ('CustomWeakDataset', 'tag')
    assert dataset.pipeline == before
    assert 'true_masks' not in dataset and 'data_root' not in dataset and 'ann_file' not in dataset
    assert config.test_dataloader.dataset.true_masks  # labels are measured if there are masks
    assert config.test_dataloader.dataset.test_mode
    assert config.model.head.num_classes == 2


def test_a_segmentor_is_validated_and_tested_on_val(describe):
    config = load(SEGMENTOR)
    assert use_data(config, describe(val='val.txt', masks='masks')) == {}
    assert splits(config) == {'train': 'train', 'val': 'val', 'test': 'val'}
    assert config.model.decode_head.num_classes == 3
    assert config.train_dataloader.dataset.data_prefix == {}
    # A listed image without a weak label has no pseudo label.
    assert config.train_dataloader.dataset.missing_seg_map == 'skip'
    assert 'true_masks' not in config.train_dataloader.dataset
    for loader in (config.val_dataloader, config.test_dataloader):
        assert loader.dataset.true_masks and loader.dataset.missing_seg_map == 'skip'
        assert loader.dataset.data_prefix == {}
        assert {'type': 'LoadAnnotations'} in loader.dataset.pipeline


@pytest.mark.parametrize(
    ('given', 'lack', 'tested'),
    [
        ({}, '`val`', 'train'),
        ({'masks': 'masks'}, '`val`', 'train'),
        ({'val': 'val.txt'}, '`masks`', 'val'),
    ],
)
def test_without_val_or_masks_nothing_is_validated_and_images_stay(describe, given, lack, tested):
    config = load(SEGMENTOR)
    assert use_data(config, describe(**given)) == {'val': lack, 'test': lack}
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None
    assert splits(config) == {'train': 'train', 'test': tested}
    assert config.test_evaluator == []
    kinds = [step.type for step in config.test_dataloader.dataset.pipeline]
    assert kinds == ['LoadImageFromFile', 'PackWeakInputs']


def test_seeds_are_measured_on_the_training_images_with_masks(describe):
    config = load(SEEDS)
    assert use_data(config, describe(masks='masks')) == {}
    dataset = config.test_dataloader.dataset
    assert (dataset.split, dataset.true_masks, dataset.missing_seg_map) == ('train', True, 'skip')
    assert use_data(load(SEEDS), describe()) == {'test': '`masks`'}
    others = describe(masks='masks', val='val.txt', train='no masks.txt')
    assert use_data(load(SEEDS), others) == {'test': 'mask of an image of `train`'}


def test_made_folders_and_what_to_do_without_their_files_stay(describe):
    config = load(AFFINITY)
    config.train_dataloader.dataset.merge(
        dict(data_prefix=dict(img_path='x', foreground_score_path='/a'), missing_seg_map='skip')
    )
    use_data(config, describe())
    dataset = config.train_dataloader.dataset
    assert dataset.data_prefix == dict(foreground_score_path='/a')
    assert (dataset.missing_seg_map, dataset.supervision) == ('skip', None)


def test_the_default_of_a_data_set_says_what_it_reads(describe):
    config = load(BOXES)
    config.train_dataloader.dataset.pop('supervision', None)
    with pytest.raises(UserInputError, match=r'train_dataloader needs boxes.*are tags'):
        use_data(config, describe())


def test_wrapped_data_sets_are_followed(describe):
    config = load(CLASSIFIER)
    inner = config.train_dataloader.dataset
    joined = dict(type='ConcatDataset', datasets=[inner, inner])
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=joined)
    use_data(config, describe())
    dataset = config.train_dataloader.dataset
    assert (dataset.type, dataset.times) == ('RepeatDataset', 3)
    assert dataset.dataset.type == 'CustomWeakDataset'


def test_own_data_are_put_in_before_other_overrides(describe, tmp_path):
    config = load(CLASSIFIER)
    root = describe()['root']
    config.data = {**describe(), 'root': str(tmp_path)}
    options = {'train_dataloader.dataset.indices': 4, 'data.root': root}
    assert finish_config(config, options) == {}
    assert config.train_dataloader.dataset.indices == 4
    assert config.train_dataloader.dataset.data.root == root
    assert 'data' not in config


def test_own_data_replace_own_data(describe):
    config = load(SEGMENTOR)
    use_data(config, describe(val='val.txt', masks='masks'))
    again = Config(config._cfg_dict.to_dict())
    use_data(again, describe(val='val.txt', masks='masks'))
    assert again._cfg_dict == config._cfg_dict


@pytest.mark.parametrize('text', ['', "data = 'data/pets'"])
def test_a_file_without_a_description_is_one_line(tmp_path, text):
    path = tmp_path / 'pets.py'
    path.write_text(text)
    with pytest.raises(UserInputError, match=r'pets\.py must describe the data with'):
        read_data(path)


def test_a_file_may_inherit_a_description(tmp_path, monkeypatch):
    monkeypatch.setenv('MMWSSS_DATA', '/here')
    (tmp_path / 'base.py').write_text(
        "data = dict(root='{{$MMWSSS_DATA:data}}/pets', classes=('cat', 'dog'), labels='a.json')"
    )
    (tmp_path / 'mine.py').write_text("_base_ = ['./base.py']\ndata = dict(labels='b.json')")
    data = read_data(tmp_path / 'mine.py')
    assert data == dict(root='/here/pets', classes=('cat', 'dog'), labels='b.json')
