import numpy as np

from mmwsss.visualization.report_page import (
    Card,
    Confusion,
    Figure,
    HeatCell,
    Picture,
    Reason,
    ReportPage,
    Table,
    css_color,
    histogram,
    render_page,
)


def test_every_text_is_escaped():
    bad = '<b onclick="x">\'&</script>'
    table = Table(bad, bad, [(bad, bad)], [[(bad, bad)]], ['#000000'])
    page = ReportPage(
        title=bad,
        folder=bad,
        stamp=bad,
        figures=[Figure(bad, bad, bad)],
        tables=[table],
        confusion=Confusion(
            bad, [(bad, '')], [(bad, '', [HeatCell(bad, bad, 5, False)])], largest=table
        ),
        reasons=[Reason(bad, bad, bad, [bad], [0.5], (bad, bad))],
        cards=[
            Card(
                bad,
                [Picture('contours', bad, 'data:,', bad)],
                [(0, bad, '#000000', bad, True)],
                [(bad, bad, bad)],
                {bad: 0},
            )
        ],
        classes=[(0, bad)],
        note=bad,
    )
    text = render_page(page)
    assert '<b onclick' not in text
    assert text.count('</script>') == 1


def test_a_histogram_shows_rare_values():
    bars = histogram(np.array([0.0] * 100 + [np.nan] + [24.0]))
    assert bars == [1.0] + [0.0] * 22 + [0.1]
    assert histogram(np.array([np.nan])) == []


def test_colours_are_written_for_the_page():
    assert css_color((0, 128, 255)) == '#0080ff'
