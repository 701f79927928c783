"""Share of each class in every image, counted from the finished labels."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.logging import MMLogger

from mmwsss.engine.progress import Progress
from mmwsss.engine.ranks import map_over_ranks, share_of_rank
from mmwsss.evaluation.foreground_proportions import proportions_of_file
from mmwsss.evaluation.label_folder import label_file
from mmwsss.structures import UserInputError, read_proportions, write_proportions


class LabelProportions:
    """Files ``<folder>/<label name>_proportions.npz``; all ranks count, the first one writes.

    Args:
        folder: Folder of the labels.
        labels: Folder of the label maps, for each label name whose proportions are wanted.
        classes: Names of the foreground classes.
        ids: Images to count.
    """

    def __init__(
        self, folder: Path, labels: dict[str, str], classes: Sequence[str], ids: Sequence[str]
    ) -> None:
        self._labels = labels
        self._classes = classes
        self._ids = ids
        self.files = {name: folder / f'{name}_proportions.npz' for name in labels}

    def are_current(self) -> bool:
        """Whether all files can be read and belong to these images."""
        try:
            found = [read_proportions(path) for path in self.files.values()]
        except UserInputError:
            return False
        return all(file.ids == tuple(self._ids) for file in found)

    def remove(self) -> None:
        """Remove the proportions of labels that will be made again."""
        if is_main_process():
            for path in self.files.values():
                path.unlink(missing_ok=True)
        barrier()

    def write(self, logger: MMLogger) -> None:
        """Count and write, showing progress."""
        for name, path in self.files.items():
            count = len(share_of_rank(self._ids))
            with Progress(f'proportions {name}', count, logger) as progress:
                proportions_of = partial(self._of_image, self._labels[name])
                rows = map_over_ranks(proportions_of, self._ids, watch=progress.iterate)
            if is_main_process():
                write_proportions(path, self._ids, np.stack(rows), self._classes)
        barrier()

    def _of_image(self, folder: str, img_id: str) -> np.ndarray:
        return proportions_of_file(label_file(folder, img_id), len(self._classes))
