"""Write a gallery of finished pipelines: one HTML file with pictures of every stage.

python tools/analysis_tools/gallery.py work_dirs/bana_voc work_dirs/psa_voc

The pictures of one's own data stay in the HTML file. --sheets writes one PNG per pipeline as well.
"""

import argparse
from pathlib import Path

from mmwsss.apis.command_line import run_tool
from mmwsss.engine.pipeline.gallery import Gallery, gallery_of
from mmwsss.structures.atomic_files import write_atomically
from mmwsss.visualization import contact_sheet
from mmwsss.visualization.gallery_page import GallerySection, render_gallery
from mmwsss.visualization.label_pictures import photo_uri, scale_to

_LONGEST = 320  # pixels of the longer side


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dirs', type=Path, nargs='+', help='folders of finished pipelines')
    parser.add_argument('--count', type=int, default=4, help='images per pipeline')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/gallery/index.html'), help='HTML to write'
    )
    parser.add_argument('--sheets', type=Path, help='folder for one PNG per pipeline')
    args = parser.parse_args(arguments)
    sections = []
    for work_dir in args.work_dirs:
        gallery = gallery_of(work_dir, count=args.count)
        sections.append(_section(gallery))
        if args.sheets:
            titles = [title for title, _ in gallery.columns]
            path = args.sheets / f'{gallery.title}.png'
            print(contact_sheet(gallery.rows, titles, path, captions=gallery.captions))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out, render_gallery(sections).encode())
    print(f'gallery: {args.out.resolve().as_uri()}')


def _section(gallery: Gallery) -> GallerySection:
    rows = [
        (caption, [photo_uri(scale_to(picture, [], _LONGEST)[0]) for picture in row])
        for caption, row in zip(gallery.captions, gallery.rows, strict=True)
    ]
    return GallerySection(gallery.title, gallery.columns, rows)


if __name__ == '__main__':
    run_tool(main)
