"""The page of a gallery."""

from mmwsss.visualization import Caption
from mmwsss.visualization.gallery_page import GallerySection, render_gallery


def test_texts_of_the_user_are_escaped_and_pictures_have_a_text():
    caption = Caption('<a>.jpg', [('cat & dog', (255, 0, 16))])
    section = GallerySection(
        '<b>', [('seed', 'mIoU 40.2')], [(caption, ['data:image/png;base64,'])]
    )
    html = render_gallery([section])
    assert '<h2 id="pipeline-1">&lt;b&gt;</h2>' in html
    assert '<th scope="col">seed<span>mIoU 40.2</span></th>' in html
    assert 'alt="&lt;a&gt;.jpg, seed"' in html
    assert 'background:#ff0010"></span>cat &amp; dog' in html
