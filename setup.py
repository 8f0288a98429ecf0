"""Build step: the wheel carries the packs, feeds, boards and alert rules of the repository's root.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("rules", "streams", "dashboards")


class BuildWithData(build_py):
    """Copy the folders of `CARRIED` to ``txmon/_data`` of the build."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in CARRIED:
            target = Path(self.build_lib) / "txmon" / "_data" / name
            shutil.copytree(Path(__file__).parent / name, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithData})
