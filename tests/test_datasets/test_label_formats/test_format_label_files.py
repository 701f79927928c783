from mmwsss.datasets.label_formats.label_files import files_below


def test_files_are_found_by_their_suffix_in_any_case_and_sorted(tmp_path):
    for name in ('b.TXT', 'a/c.txt', 'a/d.png', '.hidden.txt', '.cache/e.txt', 'a b/ä.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = files_below(tmp_path, ['.txt'])
    assert list(found) == ['a b/ä.txt', 'a/c.txt', 'b.TXT']
    assert found['a/c.txt'] == str(tmp_path / 'a/c.txt')


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/a.txt').touch()
    images = tmp_path / 'images'
    images.mkdir()
    (images / 'train2014').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere/up').symlink_to(images)
    assert list(files_below(images, ['.txt'])) == ['train2014/a.txt']
