"""Packaging: what pyproject.toml cannot express.

A regular installation also carries the configs and the tools, where ``mim`` looks for them. An
editable one needs no copy, because mim reads the checkout itself. It refuses a config that it finds
twice, so the links that other projects create in the package would break it.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel

ROOT = Path(__file__).parent
EXTRAS = ('onedl', 'openmmlab', 'crf', 'coco', 'tests', 'dev', 'docs')


def read_requirements(name: str) -> list[str]:
    """Read requirements/<name>.txt without its comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def read_version() -> str:
    """Read the version without importing the package, whose dependencies may be missing."""
    scope: dict[str, str] = {}
    exec((ROOT / 'mmwsss' / 'version.py').read_text(), scope)
    return scope['__version__']


def copy_mim_files(folder: Path) -> None:
    """Copy configs, tools and the model index to ``folder/.mim``."""
    for name in ('configs', 'tools'):
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, folder / '.mim' / name, ignore=ignore)
    shutil.copy(ROOT / 'model-index.yml', folder / '.mim')


class BuildWheel(bdist_wheel):
    """A wheel with configs and tools, in the package for openmim and next to the metadata.

    onedl-mim takes the first folder in a distribution's list of files for its package, which is
    ``mmwsss-<version>.dist-info``.
    """

    def write_wheelfile(self, wheelfile_base: str) -> None:
        """Write the last file of the metadata folder ``wheelfile_base``."""
        super().write_wheelfile(wheelfile_base)
        contents = Path(self.bdist_dir)
        if Path(wheelfile_base).is_relative_to(contents):  # otherwise it is an editable wheel
            copy_mim_files(contents / 'mmwsss')
            copy_mim_files(Path(wheelfile_base))


setup(
    name='mmwsss',
    version=read_version(),
    description='Weakly-supervised semantic segmentation on MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    author='The mmwsss contributors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords=['computer vision', 'semantic segmentation', 'weakly supervised', 'OpenMMLab'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['mmwsss', 'mmwsss.*']),
    package_data={'mmwsss.visualization': ['templates/*']},
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={name: read_requirements(name) for name in EXTRAS},
    cmdclass={'bdist_wheel': BuildWheel},
    zip_safe=False,
)
