"""Versions of packages, recorded with every result but never a reason to repeat it."""

from importlib.metadata import PackageNotFoundError, version

import mmengine

from mmwsss.version import __version__

_PACKAGES = ('torch', 'numpy', 'pydensecrf2')


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {'mmwsss': __version__, 'mmengine': mmengine.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = 'not installed'
    return found
