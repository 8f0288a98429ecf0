"""compose.yaml starts what it says: known fields, files that are there, commands that exist, production settings;
and nothing in it is open, shared or unlimited that need not be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from composekit import DOTENV, compose, documented, interpolated, of_txmon, parsed, services, variables
from dockerfile import read
from imagekit import ROOT

from txmon.dashboards import Addresses, Made, build
from txmon.settings import SettingsError, load

sys.path.append(str(Path(__file__).parents[1] / "dashboards"))

from boardkit import tool

NAMES = list(services())
ONE_SHOT = ("card-key", "webhook-key", "keyring", "kafka-topics")
AT = Addresses("txmon:8080", "prometheus:9090", "alertmanager:9093", "http://host.docker.internal:9095")


def environ_of(name: str, tmp_path: Path) -> dict[str, str]:
    """What a service of txmon is told: by the image, by compose.yaml; keys lie in the test's folder."""
    steps = read(ROOT / "Dockerfile").stages[-1].steps
    text = next(s.rest for s in steps if s.word == "ENV")
    image = dict(re.findall(r"(TXMON_\w+)=(\S+)", text))
    environ = image | services()[name].get("environment", {})
    for key in ("TXMON_KEY_FILE", "TXMON_WEBHOOK_KEY_FILE"):
        file = tmp_path / Path(environ[key]).name
        file.write_text("0badcafe" * 8)
        file.chmod(0o600)
        environ[key] = str(file)
    return environ


def test_the_fields_are_those_of_compose() -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*words, str(ROOT / "compose.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_no_right_it_need_not_have(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"} & set(service)
    uid = service["user"].split(":")[0]
    assert uid.isdigit()
    assert uid != "0"
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert "/var/run/docker.sock" not in str(service)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_says_whether_it_is_well(name: str) -> None:
    health = services()[name]["healthcheck"]
    if name in ONE_SHOT:
        assert health == {"disable": True}
        assert services()[name]["restart"] == "no"
    else:
        assert health["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(health)
        assert services()[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_named_by_its_version(name: str) -> None:
    tag = services()[name]["image"].rpartition(":")[2]
    assert tag == "local" or re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


@pytest.mark.parametrize("name", NAMES)
def test_ports_are_published_to_this_machine_alone(name: str) -> None:
    for port in services()[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_no_two_services_want_one_port() -> None:
    published = [port.split(":")[1] for s in services().values() for port in s.get("ports", ())]
    assert len(published) == len(set(published))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_mounted_is_there(name: str) -> None:
    for text in services()[name].get("volumes", ()):
        source, target, *how = text.split(":")
        assert target.startswith("/")
        if source.startswith("."):
            assert how == ["ro"], "files of this repository are read, never written"
            place = ROOT / source
            assert place.exists(), text
        else:
            assert source in compose()["volumes"], text


def test_every_volume_and_secret_is_used() -> None:
    mounted = {text.split(":")[0] for s in services().values() for text in s.get("volumes", ())}
    assert set(compose()["volumes"]) == {name for name in mounted if not name.startswith(".")}
    assert set(compose()["secrets"]) == {x for s in services().values() for x in s.get("secrets", ())}
    assert "/secrets/" in (ROOT / ".gitignore").read_text().split()
    assert all(secret["file"].startswith("./secrets/") for secret in compose()["secrets"].values())


def test_a_store_has_one_writer() -> None:
    mounts = [(name, *text.split(":")) for name, s in of_txmon().items() for text in s["volumes"]]
    serving = [source for name, source, target, *_ in mounts if target == "/data" and name not in ONE_SHOT]
    assert sorted(serving) == ["data", "stream-data"]
    keys = {name for name, source, _, *how in mounts if source == "keys" and how != ["ro"]}
    assert keys == {"card-key", "webhook-key", "keyring"}
    assert all(services()[name]["network_mode"] == "none" for name in keys)
    assert services()["keyring"]["profiles"] == ["keyring"]


def test_no_secret_is_written_down() -> None:
    """A password, token or key is named by a file, never by its value."""
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|_KEY", variable):
                assert re.search(r"_FILE$", variable), (name, variable)
                assert value.startswith(("/run/secrets/", "/keys/")), (name, variable)
    assert services()["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]


@pytest.mark.parametrize("name", sorted(of_txmon()))
def test_a_command_is_one_that_the_command_line_knows(name: str) -> None:
    options = parsed(of_txmon()[name].get("command", ["serve"]))
    if name == "txmon-stream":
        assert options["source"].startswith("kafka://kafka:9092/payments?")
        assert options["port"] == 8080


def test_what_the_docs_run_is_known() -> None:
    said = documented()
    assert len(said) >= 6
    for name, words in said:
        assert name in of_txmon()
        parsed(words)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no command 'begin'"):
        parsed(["keys", "begin"])
    with pytest.raises(Exception, match="No such option"):
        parsed(["serve", "--sauce", "x"])


@pytest.mark.parametrize("name", ["txmon", "txmon-stream", "keyring"])
def test_production_takes_the_settings(name: str, tmp_path: Path) -> None:
    settings = load(environ_of(name, tmp_path))
    assert settings.production
    assert settings.entity == "north"
    assert settings.host == "0.0.0.0"
    for port in services()[name].get("ports", ()):
        assert str(settings.port) == port.split(":")[2]


def test_production_would_not_take_less(tmp_path: Path) -> None:
    environ = environ_of("txmon", tmp_path)
    for name in ("TXMON_ENTITY", "TXMON_BASE_CURRENCY", "TXMON_BEHIND_TLS_PROXY"):
        with pytest.raises(SettingsError):
            load({k: v for k, v in environ.items() if k != name})


def test_topics_are_those_that_are_read() -> None:
    address = services()["txmon-stream"]["command"][2]
    made = re.search(r"for topic in ([^;]+);", services()["kafka-topics"]["command"][0])
    assert made is not None
    assert made[1].split() == [address.split("/")[3].split("?")[0], address.split("dead_letter=")[1]]
    assert services()["kafka"]["networks"] == ["broker"]
    assert compose()["networks"]["broker"]["internal"] is True


def test_without_the_profile_no_broker_is_started() -> None:
    usual = {name for name, s in services().items() if "profiles" not in s}
    assert usual == {"card-key", "webhook-key", "txmon", "prometheus", "alertmanager", "grafana"}
    for name in usual:
        assert set(services()[name].get("depends_on", ())) <= usual


def test_what_must_be_said_is_asked_for() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in DOTENV:
        with pytest.raises(KeyError, match=rf"{name}=\w+"):
            interpolated(text, {k: v for k, v in DOTENV.items() if k != name})
    example = (ROOT / "container" / "env.example").read_text()
    named = dict(re.findall(r"^#?(\w+)=(.*)$", example, re.MULTILINE))
    assert set(named) == variables()
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        assert named[name] == default


# -- beside txmon --------------------------------------------------------------------------------------


def made_files() -> dict[str, str]:
    return build(Made(addresses=AT))


def test_configurations_are_those_the_command_makes() -> None:
    files = made_files()
    container = ROOT / "container"
    assert (container / "alertmanager.yml").read_text() == files["alertmanager/alertmanager.yml"]
    assert (container / "datasource.yaml").read_text() == files["grafana/provisioning/datasources/txmon.yaml"]
    ours: Any = yaml.safe_load((container / "prometheus.yml").read_text())
    (found,) = ours["scrape_configs"][0].pop("dns_sd_configs")
    assert ours == yaml.safe_load(files["prometheus/prometheus.yml"])
    assert found["names"] == ["txmon-stream"]
    assert "txmon-stream" in services()


def test_addresses_are_services_and_their_ports() -> None:
    for address in (AT.txmon, AT.prometheus, AT.alertmanager):
        name, _, port = address.partition(":")
        assert services()[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_boards_lie_where_grafana_is_told() -> None:
    mounts = {t.split(":")[1]: ROOT / t.split(":")[0] for t in services()["grafana"]["volumes"]}
    provider = yaml.safe_load(mounts["/etc/grafana/provisioning/dashboards/txmon.yaml"].read_text())
    boards = mounts[provider["providers"][0]["options"]["path"]]
    assert {f.name for f in boards.iterdir()} == {"compliance.json", "pipeline.json", "rules.json"}


def laid_out(name: str, folder: Path) -> Path:
    """The files of a service as it finds them, below a folder."""
    for text in services()[name]["volumes"]:
        source, target = text.split(":")[:2]
        if source.startswith(".") and (ROOT / source).is_file():
            place = folder / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text((ROOT / source).read_text())
    return folder


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "HOME": "/tmp"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    folder = laid_out("prometheus", tmp_path)
    said = run(tool("promtool"), "check", "config", str(folder / "etc/prometheus/prometheus.yml"))
    assert "1 rule files found" in said


def test_alertmanager_takes_its_configuration(tmp_path: Path) -> None:
    folder = laid_out("alertmanager", tmp_path)
    said = run(tool("amtool"), "check-config", str(folder / "etc/alertmanager/alertmanager.yml"))
    assert "3 receivers" in said


@pytest.mark.parametrize(
    ("name", "program"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]
)
def test_the_programs_know_their_options(name: str, program: str) -> None:
    known = subprocess.run([tool(program), "--help"], capture_output=True, text=True)
    for word in services()[name]["command"]:
        assert word.split("=")[0] in known.stdout + known.stderr
