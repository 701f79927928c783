"""The HTML page of a gallery; it needs no network and no other file."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmwsss.visualization.report_page import css_color, page_templates
from mmwsss.visualization.sheets import Caption


@dataclass(frozen=True)
class GallerySection:
    """The pictures of one pipeline.

    Attributes:
        title: Heading.
        columns: Title and note of every column.
        rows: Caption of every row, and the addresses of its pictures with their content.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[Caption, Sequence[str]]]


def render_gallery(sections: Sequence[GallerySection]) -> str:
    """Write the page as HTML; every text of the user is escaped."""
    environment = page_templates()
    environment.filters['css'] = css_color
    return environment.get_template('gallery.html').render(sections=sections)
