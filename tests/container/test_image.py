"""The image built and run in plain folders: nobody's rights, nothing written outside its volume, nothing
compiled at a start, and a service that takes an event and ends when it is told to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from composekit import documented, services
from imagekit import Builder, Container, Image
from llvmlite import binding
from numba.core.codegen import get_host_cpu_features
from roots import need_roots

import txmon
from txmon.engine.warm import warm_up

pytestmark = pytest.mark.slow
LONG_S = 180.0  # for what must come; never a measure
CPU = {"KERNEL_CPU": binding.get_host_cpu_name(), "KERNEL_FEATURES": get_host_cpu_features()}


class Stand:
    """The image, and the volumes that its containers share."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # entered by somebody else, too
        self.folder = folder
        self.builder = Builder(folder, CPU)
        self.image: Image = self.builder.build()
        (folder / "volumes").mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._made = 0

    def container(self, name: str, **extra: str) -> Container:
        """A fresh container of a service of compose.yaml."""
        self._made += 1
        notes = self.builder.helpers / "notes" / f"container{self._made}"
        return Container(
            self.image,
            services()[name],
            self.folder / "volumes",
            self.builder.mounts(),
            notes,
            {"TXMON_PORT": str(self.port), **extra},
        )

    def said(self, name: str, *words: str, typed: str = "") -> dict[str, Any]:
        """What a command of the service's image prints as JSON; `typed` answers what it asks."""
        done = self.container(name).run([*words, "--json"], typed + "\n")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def ask(self, path: str, body: bytes | None = None, key: str = "") -> tuple[int, Any]:
        """Ask the running service."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body)
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    need_roots()
    warm_up(lambda _: None)  # what this machine compiled before is what the build goes by
    folder = Path(tmp_path_factory.mktemp("image", numbered=True))
    for above in (folder.parent, folder.parent.parent):
        above.chmod(
            above.stat().st_mode | 0o011
        )  # pytest's folders are its user's alone; these are passed through
    made = Stand(folder)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> str:
    """The way to the first key, by the commands of docs/container.md."""
    for name in ("card-key", "webhook-key"):
        done = stand.container(name).run()
        assert done.returncode == 0, done.stderr
    bootstrap, new, decide = [words for name, words in documented() if name == "txmon" and words[0] == "keys"]
    ana, ben = (each["key"] for each in stand.said("txmon", *bootstrap)["administrators"])
    made = stand.said("txmon", *new, typed=ana)
    decide[decide.index("prp_...")] = made["grant_id"]
    done = stand.container("txmon").run(decide, ben + "\n")
    assert done.returncode == 0, done.stderr
    return str(made["key"])


def until_well(container: Container, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        found = container.health()
        if found.returncode == 0:
            return
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.3)
    raise AssertionError(f"never well: {found.stderr}{log.read_text()[-3000:]}")


def compiled(container: Container) -> list[str]:
    said = container.notes.read_text().splitlines() if container.notes.exists() else []
    assert any(line.startswith("asked ") for line in said), "the start was not watched"
    return [line for line in said if line.startswith("compiled ")]


def event(number: int) -> bytes:
    row = {
        "event_id": f"e{number}",
        "event_time": "2026-01-05T12:00:00Z",
        "amount": "10.00",
        "currency": "EUR",
        "payer": "p",
    }
    return json.dumps(row).encode()


def test_the_image_holds_what_the_labels_say(stand: Stand) -> None:
    assert stand.image.labels["org.opencontainers.image.title"] == "txmon"
    done = stand.container("txmon").run(["--version"])
    assert done.stdout.strip() == f"txmon {txmon.__version__}"
    carried = stand.image.root / "opt/txmon/lib/python3.11/site-packages/txmon/_data"
    assert {f.name for f in carried.iterdir()} == {"rules", "streams", "dashboards"}


def test_secrets_are_made_once_and_for_the_service_alone(stand: Stand, gateway: str) -> None:
    keys = stand.folder / "volumes" / "keys"
    before = {f.name: f.read_bytes() for f in keys.iterdir()}
    assert set(before) == {"card.key", "webhook.key"}
    assert before["card.key"] != before["webhook.key"]
    for file in keys.iterdir():
        found = file.stat()
        assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o600, 10001, 10001)
    assert stand.container("card-key").run().returncode == 0
    assert (keys / "card.key").read_bytes() == before["card.key"]


def test_nobody_starts_it_without_keys(stand: Stand, gateway: str) -> None:
    done = stand.container("txmon", TXMON_KEY_FILE="/keys/none.key").run()
    assert done.returncode == 2
    assert "TXMON_KEY_FILE" in done.stderr


def test_nothing_can_be_written_but_the_volume(stand: Stand, gateway: str) -> None:
    container = stand.container("txmon")
    script = (
        "import os, sys\n"
        "print(os.getuid(), os.getgid(), os.getgroups())\n"
        "for folder in ('/', '/opt/txmon', '/opt/txmon/kernels', '/etc', '/keys', '/var/tmp', '/data', '/tmp'):\n"
        "    try:\n"
        "        open(folder + '/written', 'w').close()\n"
        "        os.unlink(folder + '/written')\n"
        "        print('written', folder)\n"
        "    except OSError as error:\n"
        "        print(error.strerror, folder)\n"
        "rights = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\n"
        "print(*(rights[n].strip() for n in ('CapEff', 'CapBnd', 'NoNewPrivs')))\n"
    )
    done = container.entry().run(["python", "-c", script])
    first, *folders, rights = done.stdout.splitlines()
    assert first == "10001 10001 []"
    assert [line for line in folders if line.startswith("written")] == ["written /data", "written /tmp"]
    assert rights == "0000000000000000 0000000000000000 1"


def test_it_serves_and_ends_without_a_kernel_compiled(stand: Stand, gateway: str, tmp_path: Path) -> None:
    """Twice: on a new store, and from the snapshot that the first run left."""
    for start in (1, 2):
        container, log = stand.container("txmon"), tmp_path / f"log{start}"
        assert container.health().returncode == 1
        with container.started(log) as process:
            until_well(container, process, log)
            status, answer = stand.ask("/v1/events", event(start), gateway)
            assert (status, answer["recommendation"], answer["duplicate"]) == (200, "allow", False)
            assert stand.ask("/v1/events", event(start), gateway)[1]["duplicate"] is True
            assert stand.ask("/v1/events", event(9), "txm_live_none")[0] == 401
            process.send_signal(getattr(signal, stand.image.stop_signal))
            assert process.wait(LONG_S) == 0, log.read_text()[-3000:]
        summary = json.loads(log.read_text().splitlines()[-1])
        assert summary["clean"] is True
        assert summary["events"] == start
        assert compiled(container) == []
        assert "compiling" not in log.read_text()
    heads = stand.folder / "volumes" / "data" / "heads.log"
    assert heads.read_text().count("\n") > 2
    assert stand.said("txmon", "store", "verify")["ok"] is True
    (rotate,) = [words for name, words in documented() if name == "keyring"]
    assert stand.container("txmon").run(rotate).returncode == 2  # it may only read its keys
    done = stand.container("keyring").run(rotate)
    assert done.returncode == 0, done.stderr


def test_the_health_check_says_why_not(stand: Stand) -> None:
    with socket.socket() as taken:  # a port nobody answers at
        taken.bind(("127.0.0.1", 0))
        found = stand.container("txmon", TXMON_PORT=str(taken.getsockname()[1])).health()
    assert found.returncode == 1
    assert "no answer" in found.stderr


def test_without_the_cache_a_kernel_is_compiled_and_kept_nowhere(stand: Stand) -> None:
    script = (
        "import numpy as n\n"
        "from txmon.engine.hashing import rehash\n"
        "empty = n.full((4, 3), -1)\n"
        "rehash(empty[:2], empty)\n"
        "print(empty.sum())\n"
    )
    nowhere = {"NUMBA_CACHE_DIR": "/opt/nowhere", "HOME": "/opt/nobody"}
    done = stand.container("txmon", **nowhere).entry().run(["python", "-c", script])
    assert done.stdout.strip() == "-12", done.stderr
    plain = stand.container("txmon", **nowhere, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert "no locator available" in plain.entry().run(["python", "-c", script]).stderr


def test_the_folder_is_not_in_the_way_of_others(stand: Stand) -> None:
    """Mounts end with the commands that they were made for."""
    mounts = Path("/proc/self/mounts").read_text()
    assert str(stand.folder) not in mounts
    assert os.geteuid() == 0
