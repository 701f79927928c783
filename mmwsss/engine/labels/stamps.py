"""Fingerprints of what determines the content of labels."""

from pathlib import Path

from mmengine.config import Config

from mmwsss.engine.ranks import on_first_rank
from mmwsss.engine.state.contents import Contents, files_below
from mmwsss.engine.state.fingerprints import fingerprint
from mmwsss.engine.state.settings import (
    by_content,
    data_root,
    label_making_settings,
    named_paths,
)


def label_stamps(config: Config, infos: list[dict], contents: Contents) -> tuple[str, list[str]]:
    """Fingerprint what determines the labels: the settings and the files of each image.

    A folder that the settings name (stored scores, saliency maps) counts image by image, through
    the file ``<img_id>.*`` in it. Any other file, such as a checkpoint, counts for all images.

    Args:
        config: Config with which the label stage runs.
        infos: Entries of the data list, with ``img_id``, ``img_path`` and weak labels.
        contents: Hashes of files.

    Returns:
        Fingerprint of the settings, and a fingerprint of the input of each image.
    """
    settings = label_making_settings(config._cfg_dict.to_dict())
    paths = on_first_rank(lambda: sorted(set(named_paths(settings))))
    folders = on_first_rank(lambda: [path for path in paths if Path(path).is_dir()])
    hashes = {path: contents.of_path(path) for path in paths if path not in folders}
    stamp = fingerprint(by_content(settings, {**dict.fromkeys(folders, 'by image'), **hashes}))
    own = [_by_image_id(Path(folder)) for folder in folders]
    inputs = [
        dict(
            img_path=info['img_path'],
            gt_label=info.get('gt_label'),
            instances=info.get('instances'),
            **{key: info[key] for key in ('background_mask_path',) if key in info},
            **{f'{i}_path': files.get(info['img_id']) for i, files in enumerate(own)},
        )
        for info in infos
    ]
    root = data_root(config.test_dataloader.dataset)
    return stamp, [fingerprint(entry) for entry in contents.of_infos(inputs, root)]


def _by_image_id(folder: Path) -> dict[str, str]:
    files = on_first_rank(lambda: sorted(files_below(folder)))
    return {str(path.relative_to(folder).with_suffix('')): str(path) for path in files}
