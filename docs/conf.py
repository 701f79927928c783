"""Settings of the documentation site: ``make docs``.

Sphinx reads the pages from the root of the repository, so that links between docs/, configs/ and
the README lead to the same place on the site and on a host of Markdown.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs' / '_extensions')]

from mmwsss import __version__  # noqa: E402

project = 'mmwsss'
author = 'The mmwsss contributors'
copyright = 'the mmwsss contributors'
version = release = __version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'components',
    'docstrings',
    'references',
]
root_doc = 'docs/index'
include_patterns = ['*.md', 'configs/**.md', 'demo/*.ipynb', 'docs/**.md']
# Folders that are not searched for pages.
exclude_patterns = ['.*', 'build', 'data', 'docs/_build', 'mmwsss', 'tests', 'weights', 'work_dirs']

myst_heading_anchors = 4
nb_execution_mode = 'off'  # it trains networks; a slow test runs it
# Commands of several lines in the notebook are no Python.
suppress_warnings = ['misc.highlighting_failure']

napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature of the class has them
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
add_module_names = False
python_maximum_signature_line_length = 60
python_use_unqualified_type_names = True
nitpicky = True
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = f'mmwsss {version}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_additional_pages = {'index': 'to_start.html'}
templates_path = ['_templates']
html_show_sourcelink = False
