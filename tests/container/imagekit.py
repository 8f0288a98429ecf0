"""Builds the image of the Dockerfile in plain folders, and runs containers of it.

What is replaced, and nothing else: the base image by this machine's programs and Python; what the package
needs by what is installed beside these tests, and no more than it declares; the processor by this one, so that
kernels compiled here before count as compiled by the step that asks for them. A kernel that no step asked for is
taken out again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from dockerfile import Dockerfile, Stage, Step, context, expand, pairs, read
from numba.core.caching import UserProvidedCacheLocator
from packaging.requirements import Requirement
from roots import Entry, base_path, make_root

import txmon
from txmon.jit import cache_folder

ROOT = Path(__file__).parents[2]
SITE = Path(sysconfig.get_path("purelib"))
INSIDE = {"PYTHONPATH": "/replay/probe:/replay/site"}
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/replay/wheels"}
_PROBE = '''
"""Notes which kernels are asked for and which are compiled, in the file that REPLAY_NOTES names."""
import os

words = open("/proc/self/cmdline").read().split("\\0")
if os.environ.get("REPLAY_NOTES") and words[1].endswith("/txmon"):
    import numba.core.event
    from numba.core.caching import IndexDataCacheFile

    def note(kind, text):
        with open(os.environ["REPLAY_NOTES"], "a") as file:
            file.write(f"{kind} {text}\\n")

    class Compiled(numba.core.event.Listener):
        def on_start(self, event):
            note("compiled", event.data["dispatcher"].py_func.__qualname__)

        def on_end(self, event):
            pass

    numba.core.event.register("numba:compile", Compiled())
    for name in ("_load_data", "_save_data"):
        def noting(self, name, *rest, what=getattr(IndexDataCacheFile, name)):
            note("asked", self._index_path)
            note("asked", self._data_path(name))
            return what(self, name, *rest)
        setattr(IndexDataCacheFile, name, noting)
'''


@dataclass
class Image:
    """A finished stage: its folder and what the engine would keep beside it."""

    root: Path
    environ: dict[str, str]
    workdir: str = "/"
    user: str = "0:0"
    labels: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    stop_signal: str = ""
    health: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


class Builder:
    """Executes the stages of a Dockerfile below a folder."""

    def __init__(self, folder: Path, arguments: Mapping[str, str]) -> None:
        self._folder, self._arguments = folder, dict(arguments)
        self._file: Dockerfile = read(ROOT / "Dockerfile")
        self._context = context(ROOT)
        self._images: dict[str, Image] = {}
        self.helpers = folder / "replay"
        self._lay_helpers()

    def build(self) -> Image:
        """Return the image of the last stage."""
        before = {k: v for step in self._file.arguments for k, v in pairs(step.rest, {}).items()}
        values = before | {k: v for k, v in self._arguments.items() if k in before}
        for stage in self._file.stages:
            image = self._stage(stage, values)
            self._images[stage.name] = image
        return image

    def mounts(self) -> dict[str, Path]:
        """What every command finds below /replay."""
        ours = {f"/replay/{name}": self.helpers / name for name in ("site", "probe", "wheels")}
        return {**ours, "/replay/all": SITE}

    def _lay_helpers(self) -> None:
        for name in ("site", "probe", "wheels", "notes"):
            (self.helpers / name).mkdir(parents=True)
        (self.helpers / "notes").chmod(0o1777)  # written by whoever a container runs as
        (self.helpers / "probe" / "sitecustomize.py").write_text(_PROBE)
        for name in sorted(declared_files()):
            (self.helpers / "site" / name).symlink_to(f"/replay/all/{name}")
        self._fetch_setuptools()

    def _fetch_setuptools(self) -> None:
        """What makes the wheel, as the Dockerfile pins it; the only thing that is fetched."""
        named = [step.rest for step in self._file.stages[0].steps if step.word == "ARG"]
        (version,) = [text.partition("=")[2] for text in named if text.startswith("SETUPTOOLS_VERSION=")]
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"setuptools=={version}"]
        done = subprocess.run(
            [*words, "--dest", str(self.helpers / "wheels")], capture_output=True, text=True
        )
        if done.returncode and os.environ.get("CI") != "true":
            pytest.skip(f"setuptools {version} cannot be fetched here")
        assert done.returncode == 0, done.stderr

    # -- stages ----------------------------------------------------------------------------------------

    def _stage(self, stage: Stage, before: Mapping[str, str]) -> Image:
        base = expand(stage.base, before)
        assert base.split("@")[0].startswith("python:3.11-"), (
            f"the replay stands in for Python 3.11 only, not {base}"
        )
        root = self._folder / f"stage{len(self._images)}"
        make_root(root)
        for name in ("all", "site", "probe", "wheels", "notes"):
            (root / "replay" / name).mkdir()
        image = Image(root, {"PATH": base_path(), "LANG": "C.UTF-8"})
        arguments: dict[str, str] = {}
        for step in stage.steps:
            if step.word == "ARG":
                for name, default in pairs(step.rest, arguments | image.environ).items():
                    arguments[name] = self._arguments.get(name, before.get(name, default))
            else:
                self._step(step, image, arguments)
        return image

    def _step(self, step: Step, image: Image, arguments: Mapping[str, str]) -> None:
        known = {**arguments, **image.environ}
        text = expand(step.rest, known)
        match step.word:
            case "ENV":
                image.environ |= pairs(step.rest, known)
            case "LABEL":
                image.labels |= pairs(step.rest, known)
            case "RUN":
                self._run(step, image, arguments)
            case "COPY":
                self._copy(step, image, text.split())
            case "WORKDIR":
                image.workdir = text
                (image.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = text
            case "EXPOSE":
                image.ports += text.split()
            case "STOPSIGNAL":
                image.stop_signal = text
            case "VOLUME":
                image.volumes += _words(step)
            case "ENTRYPOINT":
                image.entrypoint = _words(step)
            case "CMD":
                image.command = _words(step)
            case "HEALTHCHECK":
                assert step.rest.startswith("CMD "), f"line {step.line}: no command"
                image.health = json.loads(step.rest.removeprefix("CMD "))

    def _run(self, step: Step, image: Image, arguments: Mapping[str, str]) -> None:
        notes = self.helpers / "notes" / f"{image.root.name}-{step.line}"
        environ = {**arguments, **image.environ, **INSIDE, **OFFLINE, "HOME": "/root"}
        environ["REPLAY_NOTES"] = f"/replay/notes/{notes.name}"
        entry = Entry(
            image.root, environ, image.workdir, self.mounts(), {"/replay/notes": self.helpers / "notes"}
        )
        warms = "NUMBA_CACHE_DIR" in environ
        if warms:
            seed(image)
        done = entry.run(["/bin/sh", "-c", step.rest])
        assert done.returncode == 0, (
            f"line {step.line}: {step.rest}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
        )
        if warms:
            said = notes.read_text().splitlines() if notes.exists() else []
            keep_only(image, {line.removeprefix("asked ") for line in said})

    def _copy(self, step: Step, image: Image, names: list[str]) -> None:
        *sources, target = names
        place = image.root / (target if target.startswith("/") else f"{image.workdir}/{target}").lstrip("/")
        for source in sources:
            if "from" in step.options:
                found = self._images[step.options["from"]].root / source.lstrip("/")
                place.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "--archive", f"{found}/.", str(place)], check=True)
                continue
            files = [f for f in self._context if f == source or f.startswith(source + "/")]
            assert files, f"line {step.line}: {source} is not there, or .dockerignore leaves it out"
            for file in files:
                inside = file.removeprefix(source).lstrip("/") or (
                    Path(source).name if target.endswith("/") else ""
                )
                to = place / inside if inside else place
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, to)
                to.chmod(int(step.options.get("chmod", "0"), 8) or (ROOT / file).stat().st_mode & 0o777)


def _words(step: Step) -> list[str]:
    found = step.exec_form
    assert found is not None, (
        f"line {step.line}: {step.word} is not in exec form, so a shell would stand between"
    )
    return found


def declared_files() -> set[str]:
    """Names in the site folder of what the package declares to need, and what that needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    left, seen, names = list(_needs(project["dependencies"], frozenset())), set(), set()
    while left:
        name, extras = left.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        left += _needs(metadata.requires(name) or (), extras)
        for file in metadata.distribution(name).files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not top.endswith(".pth"):
                names.add(top)
    return names


def _needs(texts: Iterable[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in texts:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield need.name.lower().replace("_", "-"), frozenset(need.extras)


# -- kernels -------------------------------------------------------------------------------------------


def seed(image: Image) -> None:
    """Put kernels that this machine compiled before where the image keeps its own."""
    site = f"{INSIDE_SITE}/txmon"
    target = image.root / image.environ["NUMBA_CACHE_DIR"].lstrip("/") / cache_folder().name
    package = Path(txmon.__file__).parent
    for folder in {f.parent for f in package.rglob("*.py")}:
        here = UserProvidedCacheLocator.get_suitable_cache_subpath(str(folder / "x.py"))
        there = UserProvidedCacheLocator.get_suitable_cache_subpath(
            f"{site}/{folder.relative_to(package)}/x.py"
        )
        if (cache_folder() / here).is_dir() and not (target / there).exists():
            shutil.copytree(cache_folder() / here, target / there)


def keep_only(image: Image, asked: set[str]) -> None:
    """Remove kernels that no step asked for."""
    kept = image.root / image.environ.get("NUMBA_CACHE_DIR", "/nowhere").lstrip("/")
    for file in [f for f in kept.rglob("*") if f.is_file()]:
        if f"/{file.relative_to(image.root)}" not in asked:
            file.unlink()


INSIDE_SITE = f"/opt/txmon/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


# -- containers ----------------------------------------------------------------------------------------


@dataclass
class Container:
    """A container of the image as a service of compose.yaml describes it; volumes lie below `volumes`."""

    image: Image
    service: Mapping[str, Any]
    volumes: Path
    helpers: Mapping[str, Path]
    notes: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    def entry(self) -> Entry:
        """How its root is entered."""
        service = self.service
        home = next(
            line.split(":")[5]
            for line in (self.image.root / "etc" / "passwd").read_text().splitlines()
            if line.split(":")[2] == self.image.user.split(":")[0]
        )
        environ = (
            self.image.environ | {"HOME": home} | dict(service.get("environment", {})) | dict(self.extra)
        )
        environ |= INSIDE | {"REPLAY_NOTES": f"/replay/notes/{self.notes.name}"}
        entry = Entry(self.image.root, environ, self.image.workdir, dict(self.helpers), user=self.image.user)
        entry.writable["/replay/notes"] = self.notes.parent
        entry.root_read_only = bool(service.get("read_only"))
        entry.tmpfs = tuple(place.split(":")[0] for place in service.get("tmpfs", ()))
        for text in service.get("volumes", ()):
            name, path, *how = text.split(":")
            folder = self.volumes / name
            if not folder.exists():  # a named volume is born as a copy of what the image has there
                subprocess.run(
                    ["cp", "--archive", str(self.image.root / path.lstrip("/")), str(folder)], check=True
                )
            (entry.read_only if "ro" in how else entry.writable)[path] = folder
        return entry

    def run(self, words: Sequence[str] = (), said: str = "") -> subprocess.CompletedProcess[str]:
        """`docker compose run` of it, to the end; without words its own command."""
        return self.entry().run(
            self.image.entrypoint + list(words or self._command()), input=said, timeout=300
        )

    @contextmanager
    def started(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """`docker compose up` of it; what still runs behind this is killed."""
        process = self.entry().start(self.image.entrypoint + self._command(), log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def health(self) -> subprocess.CompletedProcess[str]:
        """The health check of the service, else of the image, once."""
        test = list(self.service.get("healthcheck", {}).get("test", ()))[1:]
        return self.entry().run(test or self.image.health, timeout=60)

    def _command(self) -> list[str]:
        return list(self.service.get("command", self.image.command))
