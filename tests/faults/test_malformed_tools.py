"""Tools given malformed files: exit code 2, one line, nothing half written."""

import io
import os
import shutil
import struct

import numpy as np
import pytest
from PIL import Image
from reference.mxnet_writer import params_bytes

pytestmark = pytest.mark.slow

CLASSES = ['--classes', 'background', 'circle', 'ring', 'square']
CONFIG = """
default_scope = 'mmwsss'
model = dict(type='FilledBoxes')
test_evaluator = []
test_cfg = dict(
    type='PseudoLabelLoop',
    num_workers=0,
    proportions=('seed',),
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(seed=dict(background=dict(type='ConstantBackground', threshold=0.5))),
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapesWeakDataset',
        data_root='{root}',
        ann_file='list.txt',
        test_mode=True,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='LoadWeakAnnotations'),
            dict(type='PackWeakInputs'),
        ],
    ),
)
"""


class Data:
    """A copy of the shapes with labels, for a case to damage."""

    def __init__(self, shapes, root):
        shutil.copytree(shapes / 'shapes', root)
        self.root = root
        self.images = root / 'JPEGImages'
        self.boxes = root / 'Annotations'
        self.masks = root / 'SegmentationClass'
        self.labels = root / 'labels'
        self.list = root / 'list.txt'
        shutil.copytree(self.masks, self.labels)
        ids = (root / 'ImageSets/Segmentation/val.txt').read_text().split()
        self.list.write_text('\n'.join(ids))
        self.first = ids[0]
        for path in self.labels.iterdir():
            if path.stem not in ids:
                path.unlink()
        self.label = self.labels / f'{self.first}.png'
        self.mask = self.masks / f'{self.first}.png'
        self.image = self.images / f'{self.first}.jpg'
        self.box = self.boxes / f'{self.first}.xml'
        self.weights = root / 'weights.bin'
        self.config = root / 'config.py'
        self.config.write_text(CONFIG.replace('{root}', str(root)))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def flip(path):
    """One wrong bit in the compressed pixels."""
    content = bytearray(path.read_bytes())
    content[content.index(b'IDAT') + 20] ^= 4
    path.write_bytes(content)


def page(path):
    path.write_text('<html><body>404</body></html>')


def save(array):
    return lambda path: Image.fromarray(array).save(path, 'PNG')


def bomb(path):
    buffer = io.BytesIO()
    Image.new('L', (8, 8)).save(buffer, 'PNG')
    size, huge = struct.pack('>II', 8, 8), struct.pack('>II', 12_000, 12_000)
    path.write_bytes(buffer.getvalue().replace(size, huge))


LABEL_FAULTS = {
    'cut': cut,
    'empty': lambda path: path.write_bytes(b''),
    'a page': page,
    'a wrong bit': flip,
    'colours': save(np.zeros((96, 96, 3), np.uint8)),
    '1 bit': save(np.zeros((96, 96), bool)),
    'a value of no class': save(np.full((96, 96), 9, np.uint8)),
    'a bomb': bomb,
    'a pipe': pipe,
    'a link to itself': lambda path: path.unlink() or path.symlink_to(path.name),
}
LIST_FAULTS = {
    'missing': lambda path: path.unlink(),
    'empty': lambda path: path.write_text(''),
    'an id twice': lambda path: path.write_text(path.read_text() * 2),
    'an id outside': lambda path: path.write_text('../../etc/passwd\n'),
    'not text': lambda path: path.write_bytes(b'\xff\xfe\0'),
    'a pipe': pipe,
}
WEIGHT_FAULTS = {
    'missing': lambda path: None,
    'empty': lambda path: path.write_bytes(b''),
    'a page': page,
    'nulls': lambda path: path.write_bytes(bytes(1000)),
    'noise': lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
    'an empty archive': lambda path: path.write_bytes(b'PK\x05\x06' + bytes(18)),
    'a pickle of code': lambda path: path.write_bytes(b'cos\nsystem\n(S"exit"\ntR.'),
    'a folder': lambda path: path.mkdir(),
    'a pipe': pipe,
}


def evaluate(data):
    options = ['--split', data.list, '--masks', data.masks, '--json', data.root / 'out']
    return ['tools/analysis_tools/evaluate_labels.py', data.labels, *options, *CLASSES]


def estimate(data):
    options = ['--out', data.root / 'out.npz']
    return ['tools/analysis_tools/estimate_proportions.py', data.labels, *options, *CLASSES]


def browse(data):
    options = ['--out', data.root / 'out.png', '--split', data.list]
    return ['tools/analysis_tools/browse_labels.py', data.images, data.labels, *options]


def report(data):
    options = ['--images', data.images, '--out', data.root / 'out.html']
    return ['tools/analysis_tools/label_report.py', data.labels, *options, *CLASSES]


def boxes(data):
    return [*evaluate(data), '--second', data.masks, '--boxes', data.boxes]


def convert(tool):
    name = f'tools/model_converters/{tool}.py'
    return lambda data: [name, data.weights, data.root / 'out.pth']


def make_labels(data):
    options = ['--work-dir', data.root / 'work', '--out-dir', data.root / 'out']
    return ['tools/generate_pseudo_labels.py', data.config, *options]


def set_in_config(text):
    return lambda path: path.write_text(path.read_text() + text)


def cases():
    for name, fault in LABEL_FAULTS.items():
        yield 'evaluate', name, evaluate, 'label', fault
        yield 'evaluate, mask', name, evaluate, 'mask', fault
        yield 'estimate', name, estimate, 'label', fault
        yield 'report', name, report, 'label', fault
        if name != 'a value of no class':  # it has a colour
            yield 'browse', name, browse, 'label', fault
    for name, fault in LIST_FAULTS.items():
        yield 'evaluate, list', name, evaluate, 'list', fault
        yield 'browse, list', name, browse, 'list', fault
        yield 'labels, list', name, make_labels, 'list', fault
    for name, fault in WEIGHT_FAULTS.items():
        for tool in ('mxnet_to_resnet38', 'psa_checkpoint', 'vgg16_to_deeplab'):
            yield tool, name, convert(tool), 'weights', fault
    other = params_bytes({'arg:a': np.zeros(3, np.float32)})
    yield (
        'mxnet_to_resnet38',
        'other',
        convert('mxnet_to_resnet38'),
        'weights',
        (lambda path: path.write_bytes(other)),
    )
    for name in ('cut', 'empty', 'a page', 'a bomb', 'a pipe'):
        yield 'browse, image', name, browse, 'image', LABEL_FAULTS[name]
        yield 'report, image', name, report, 'image', LABEL_FAULTS[name]
        yield 'labels, image', name, make_labels, 'image', LABEL_FAULTS[name]
    for name in ('cut', 'empty', 'a page', 'a pipe', 'a link to itself'):
        yield 'boxes', name, boxes, 'box', LABEL_FAULTS[name]
        yield 'labels, boxes', name, make_labels, 'box', LABEL_FAULTS[name]
    seed = "test_cfg['generator']['labels']['seed']"
    options = {
        'labels, saliency of others': f"{seed}['refiners'] = "
        "[dict(type='SaliencyBackground', folder='/tmp')]",
        'labels, NaN': f"{seed}['background']['threshold'] = float('nan')",
        'labels, -1 worker': "test_cfg['num_workers'] = -1",
        'labels, -1 loader': "test_dataloader['num_workers'] = -1",
        'labels, bad image in a worker': "test_dataloader['num_workers'] = 1",
    }
    for name, text in options.items():
        yield name, '', make_labels, 'config', set_in_config(f'\n{text}\n')


def test_tools_end_in_one_line_and_leave_nothing_wrong(warm, shapes_data, tmp_path):
    problems, count = [], 0
    for what, name, command, part, fault in cases():
        count += 1
        data = Data(shapes_data, tmp_path / f'data{count}')
        fault(getattr(data, part))
        if 'bad image' in what:
            cut(data.image)
        run = warm.start(command(data), logs=tmp_path)
        run.until(lambda: False)
        hung = run.poll() is None
        run.end()
        errors = [line for line in run.stderr.splitlines() if line.startswith('error: ')]
        left = [path.name for path in data.root.glob('out*') if path.is_file()]
        left += [path.name for path in data.root.rglob('*.tmp')]
        if hung or run.code != 2 or len(errors) != 1 or 'Traceback' in run.output or left:
            end = 'hung' if hung else f'exit {run.code}'
            problems.append(f'{what}: {name}: {end}, left {left}: {run.output[-500:]}')
        shutil.rmtree(data.root)
    line = f'malformed files given to tools: {count} runs, {len(problems)} problems'
    print(line)
    assert not problems, '\n'.join([line, *problems])
