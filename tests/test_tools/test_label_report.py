"""The label report, from the command to the page in a browser."""

import html
import json
import re
import shutil

import numpy as np
import pytest
from photographs import IDS, write_photographs
from PIL import Image

from mmwsss.structures import UserInputError

MISSED = 'd'  # its cat is not labelled
SPREAD = 'e'  # a dog, labelled as a cat in the whole image
LACKING = 'zwei Worte'  # without a second label
CLASSES = ('--classes', 'background', 'cat', 'dog')


@pytest.fixture(scope='module')
def report(load_tool):
    return load_tool('analysis_tools/label_report.py').main


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Photographs with masks, labels with two mistakes, and second labels, which are the masks."""
    root = write_photographs(tmp_path_factory.mktemp('pets'), masks=True)
    for name in ('labels', 'second'):
        shutil.copytree(root / 'masks', root / name)
    change(root / f'labels/{MISSED}.png', lambda label: np.where(label == 1, 0, label))
    change(root / f'labels/{SPREAD}.png', lambda label: np.ones_like(label))
    (root / f'second/{LACKING}.png').unlink()
    described = dict(root=str(root), classes=('cat', 'dog'), labels='tags.json')
    for name, more in (('tags', {}), ('masks', {'masks': 'masks'})):
        (root / f'{name}.py').write_text(f'data = {described | more}')
    return root


def change(path, function):
    label = np.asarray(Image.open(path))
    Image.fromarray(function(label).astype(np.uint8)).save(path)


class Page:
    """The figures in a report, read from its text."""

    def __init__(self, path):
        self.text = path.read_text()
        figures = re.findall(r'<dt>([^<]*)</dt><dd class="value">([^<]*)</dd>', self.text)
        self.figures = dict(figures)
        cards = re.findall(r'data-id="([^"]*)".*?data-ranks="([^"]*)"', self.text)
        self.ranks = {html.unescape(i): json.loads(html.unescape(r)) for i, r in cards}

    def listed(self, key):
        found = {ranks[key]: img_id for img_id, ranks in self.ranks.items() if key in ranks}
        return [found[place] for place in sorted(found)]

    def rows(self, table):
        text = re.split(f'>{table}</h[23]>', self.text)[1]
        body = text.partition('<tbody>')[2].partition('</tbody>')[0]
        cells = [re.findall(r'data-value="([^"]*)"', row) for row in body.split('</tr>')]
        return {row[0]: row[1:] for row in cells if row}

    @property
    def matrix(self):
        """Percent by true class and label."""
        text = self.text.partition('class="matrix"')[2].partition('</table>')[0]
        heading, _, body = text.partition('</thead>')
        names = re.findall(r'([^>]+)</span></th>', heading)
        rows = re.findall(r'([^>]+)</th>(.*?)</tr>', body, re.DOTALL)
        cells = {name: re.findall(r'>([^<]+)</td>', row) for name, row in rows}
        return {name: dict(zip(names, row, strict=True)) for name, row in cells.items()}


@pytest.fixture(scope='module')
def full(report, data):
    """A report with all optional parts."""
    options = [
        '--second',
        data / 'second',
        '--data',
        data / 'masks.py',
        '--out',
        data / 'full.html',
    ]
    report(list(map(str, [data / 'labels', *options])))
    return Page(data / 'full.html')


def test_tags_and_labels_are_compared(full):
    assert full.figures['Images'] == str(len(IDS) - 1)
    assert full.figures['Tags without a pixel'] == '2'
    assert sorted(full.listed('tags')) == [MISSED, SPREAD]
    assert full.listed('untagged') == [SPREAD]
    assert full.listed('much')[0] == SPREAD
    # Tags of both, without those of LACKING.
    cats, dogs = full.rows('Classes')['cat'], full.rows('Classes')['dog']
    assert [float(value) for value in cats[:3]] == [7, 1, 1]
    assert [float(value) for value in dogs[:3]] == [6, 1, 0]


def test_labels_are_compared_with_a_second_set_and_with_masks(full):
    assert full.listed('differs') == [SPREAD, MISSED]
    assert full.listed('worst') == [SPREAD, MISSED]
    assert full.listed('best')[-1] == MISSED
    assert SPREAD not in full.listed('best')
    rows = full.rows('Label sets')
    assert [float(value) for value in rows['second'][:3]] == [1, 1, 1]
    # Every pixel of a dog that is not in SPREAD is found: 57 x 45 of its own are cat.
    dogs = {'c': 46 * 52, MISSED: 43 * 65, SPREAD: 57 * 45, 'Ärger': 37 * 35 + 41 * 33}
    dogs |= {'Foto 2.jpeg': 51 * 43, 'Foto 2.png': 43 * 51}
    recall = 1 - dogs[SPREAD] / sum(dogs.values())
    assert float(full.rows('Against the true masks')['dog'][2]) == pytest.approx(recall, abs=1e-4)
    mistakes = full.rows('Largest mistakes')
    assert float(mistakes['dog → cat'][0]) == pytest.approx(1 - recall, abs=1e-4)
    # d's cat is labelled as background, all around e's dog as cat.
    assert list(mistakes) == ['cat → background', 'dog → cat', 'background → cat']
    share = f'{100 * (1 - recall):.0f}'
    assert full.matrix['dog'] == {'background': '0', 'cat': share, 'dog': str(100 - int(share))}


def test_a_page_loads_nothing_and_escapes_names(full):
    assert not re.search(r'(src|href)="(?!data:|#)', full.text)
    assert '://' not in re.sub(r'data:[^"]*', '', full.text)


def test_without_tags_and_masks_the_rest_is_measured(report, data, tmp_path):
    out = tmp_path / 'report.html'
    report([str(data / 'labels'), '--images', str(data / 'images'), *CLASSES, '--out', str(out)])
    page = Page(out)
    assert len(page.ranks) == len(IDS)
    assert page.listed('much')[0] == SPREAD
    assert page.listed('tags') == page.listed('worst') == page.listed('differs') == []


def test_masks_of_a_folder_take_the_place_of_those_of_the_data(report, data, tmp_path):
    out = tmp_path / 'report.html'
    folders = map(str, [data / 'labels', '--masks', data / 'masks', '--out', out])
    report([*folders, '--data', str(data / 'tags.py')])
    assert Page(out).listed('worst') == [SPREAD, MISSED]


def test_pictures_beyond_the_size_of_a_page_are_left_out_and_said(
    report, data, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmwsss.engine.label_report.cards._MAX_BYTES', 60_000)
    out = tmp_path / 'report.html'
    report([str(data / 'labels'), '--data', str(data / 'tags.py'), '--out', str(out)])
    page = Page(out)
    assert out.stat().st_size < 60_000 + 50_000
    left_out = len(IDS) - len(page.ranks)
    assert 0 < left_out < len(IDS)
    assert f'{left_out} of them have no picture' in page.text
    # The first images of every list are dropped last.
    assert page.listed('untagged') == [SPREAD] and page.listed('much')[0] == SPREAD


def test_bad_input_is_one_error(report, data, tmp_path):
    def refused(match, labels, *options):
        out = ['--out', str(tmp_path / 'report.html')]
        with pytest.raises(UserInputError, match=match):
            report([str(labels), *map(str, options), *out])
        assert not (tmp_path / 'report.html').exists()

    images = ('--images', data / 'images', *CLASSES)
    refused('none is not a folder', data / 'none', *images)
    refused('none is not a folder', data / 'labels', '--images', data / 'none')
    refused('either --data or --images', data / 'labels')
    masks = tmp_path / 'masks'
    masks.mkdir()
    refused('contains no labels', masks, *images)
    Image.new('L', (5, 4)).save(masks / 'd.png')
    refused('d.png is 4x5, but its image is 80x96', data / 'labels', *images, '--masks', masks)
    small = tmp_path / 'small'
    small.mkdir()
    Image.new('L', (5, 4)).save(small / 'd.png')
    refused('d.png is 4x5, but its image .* is 80x96', small, *images)
    (small / 'd.png').rename(small / 'none.png')
    refused("the first is 'none'", small, *images)
    refused('the value 2; expected 0..1', data / 'labels', *images[:2], '--classes', 'x', 'y')


@pytest.fixture(scope='module')
def browser():
    """Chromium of the system or of Playwright; CONTRIBUTING.md says how to get it."""
    playwright = pytest.importorskip('playwright.sync_api')
    path = shutil.which('chromium')
    with playwright.sync_playwright() as running:
        try:
            chromium = running.chromium.launch(executable_path=path, args=['--no-sandbox'])
        except playwright.Error:
            if path is not None:
                raise
            pytest.skip('no Chromium: neither of the system nor of Playwright')
        yield chromium
        chromium.close()


@pytest.fixture
def shown(full, data, browser):
    """The page of the full report; fails if it wrote to the console."""
    page = browser.new_page(viewport=dict(width=390, height=844))
    messages = []
    page.on('console', lambda message: messages.append(message.text))
    page.on('pageerror', lambda error: messages.append(str(error)))
    page.goto((data / 'full.html').as_uri())
    yield page
    assert messages == []
    page.close()


def ids_in(page):
    # Not the inner texts: those of cards that are not drawn yet are empty.
    return [text.strip() for text in page.locator('.card:visible h3').all_text_contents()]


def test_the_page_filters_sorts_and_lists_ids(shown, full):
    shown.click('button.show[data-reason="differs"]')
    assert ids_in(shown) == [SPREAD, MISSED]
    assert shown.input_value('#ids') == f'{SPREAD}\n{MISSED}'
    shown.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    shown.click('#copy')
    shown.get_by_role('button', name='Copied').wait_for()
    assert shown.evaluate('navigator.clipboard.readText()') == f'{SPREAD}\n{MISSED}'
    shown.select_option('#order', 'reverse')
    assert ids_in(shown) == [MISSED, SPREAD]
    shown.select_option('#class', '0')
    shown.select_option('#reason', '')
    shown.fill('#search', 'FOTO')
    assert sorted(ids_in(shown)) == [i for i in IDS if i.endswith('Foto 1') or 'alt' in i]
    shown.fill('#search', 'no such id')
    assert ids_in(shown) == []
    assert shown.locator('#none').is_visible()


def test_a_table_is_sorted_by_its_headings_with_the_keyboard(shown):
    heading = shown.locator('thead').first.get_by_role('button', name='Share of the pixels')
    for order in ('descending', 'ascending'):
        heading.focus()
        shown.keyboard.press('Enter')
        values = shown.locator('table').first.locator('tbody td:nth-child(6)')
        found = [float(cell.get_attribute('data-value')) for cell in values.all()]
        assert found == sorted(found, reverse=order == 'descending')
        assert heading.locator('..').get_attribute('aria-sort') == order


def test_the_matrix_scrolls_in_its_own_box_and_says_what_a_cell_means(shown):
    matrix = shown.locator('.matrix')
    assert matrix.locator('thead th').all_inner_texts() == ['True class', *CLASSES[1:]]
    cell = matrix.get_by_role('row', name='dog').get_by_role('cell').nth(1)
    assert cell.get_attribute('title').startswith('dog labelled as cat: ')
    box = matrix.locator('..')
    box.focus()
    assert box.evaluate('(box) => box === document.activeElement')
    assert box.evaluate('(box) => box.clientWidth <= innerWidth')


def test_a_narrow_page_does_not_scroll_sideways_and_every_picture_has_a_text(shown):
    assert shown.evaluate('document.documentElement.scrollWidth') == 390
    assert shown.locator('img').count() == shown.locator('img[alt*="label"]').count() > 0
    assert shown.evaluate('[...document.images].every((image) => image.complete)')


def test_the_theme_is_that_of_the_system_until_it_is_changed(shown):
    background = 'getComputedStyle(document.body).backgroundColor'
    light = shown.evaluate(background)
    shown.click('#theme')
    assert shown.evaluate(background) != light
    assert shown.get_attribute('#theme', 'aria-pressed') == 'true'
