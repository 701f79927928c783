"""Packaging: what pyproject.toml cannot express.

A regular installation also carries the configs and the tools, where ``mim`` looks for them. An editable one needs no copy: mim reads the checkout itself, and it refuses a config which it
finds twice, so that the links that other projects create in the package would break it.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
EXTRAS = ('onedl', 'openmmlab', 'crf', 'tests', 'dev')


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
    """Copy configs, tools and the model index to ``folder/.mim``, in place of an older copy."""
    target = folder / '.mim'
    shutil.rmtree(target, ignore_errors=True)
    for name in ('configs', 'tools'):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__'))
    shutil.copy(ROOT / 'model-index.yml', target)


class BuildPackage(build_py):
    """Puts the configs into the package: openmim looks there."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            copy_mim_files(Path(self.build_lib) / 'mmwsss')


class BuildWheel(bdist_wheel):
    """Puts them beside the metadata too.

    onedl-mim takes the first folder of a distribution's list of files for its package, and that is
    ``mmwsss-<version>.dist-info``.
    """

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        """Write the metadata folder of the wheel."""
        super().egg2dist(egginfo_path, distinfo_path)
        copy_mim_files(Path(distinfo_path))


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
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={name: read_requirements(name) for name in EXTRAS},
    cmdclass={'build_py': BuildPackage, 'bdist_wheel': BuildWheel},
    zip_safe=False,
)
