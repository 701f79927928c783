import json

from mmwsss.engine.pipeline.report import write_report
from mmwsss.engine.state.stage_state import StageResult


def test_the_report_has_every_miou_and_is_written_as_json(tmp_path, capsys):
    results = {
        'labels': StageResult(metrics={'seed/mIoU': 40.0, 'Y_crf/mIoU': 61.25}, seconds=61),
        'segmentor': StageResult({'checkpoint': 'x.pth'}, {'mIoU': 55.5, 'aAcc': 90.0}, 30),
    }
    write_report(results, tmp_path / 'results.json', title='two')
    printed = capsys.readouterr().out
    assert '61.25' in printed and '55.50' in printed and '1:01' in printed and '1:31' in printed
    content = json.loads((tmp_path / 'results.json').read_text())
    assert content['labels']['metrics']['Y_crf/mIoU'] == 61.25


def test_without_masks_the_table_has_no_empty_columns(tmp_path, capsys):
    write_report({'labels': StageResult(seconds=61)}, tmp_path / 'results.json', title='one')
    printed = capsys.readouterr().out
    assert 'labels' in printed and '1:01' in printed
    assert 'mIoU' not in printed and 'result' not in printed.replace('results.json', '')
