"""What is served at /console, before any browser looks at it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("api", "service")]

from apikit import Api, opened, problem

from txmon.api.table import BY_NAME
from txmon.console import FILES

TEXTS = {name: file.body.decode() for name, file in FILES.items()}
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/.{}:-]+)")
# ways in which text becomes a page or a program, and places where a key would stay
SINKS = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "setHTML", "srcdoc", "DOMParser",
    "createContextualFragment", "sessionStorage", "indexedDB", "document.cookie", "javascript:", ".style", "setAttribute(\"style",
)  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("served")) as found:
        yield found


def test_the_page_lets_nothing_in_from_elsewhere(api: Api) -> None:
    answer = api.get("/console")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy.pop("trusted-types") == "'none'"
    own = {name for name, value in policy.items() if value == "'self'"}
    assert own == {"script-src", "style-src", "connect-src", "img-src"}
    assert {value for name, value in policy.items() if name not in own} == {"'none'"}
    for name, value in (
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ):
        assert answer.headers[name] == value
    assert (
        len(answer.headers.get_list("content-security-policy"))
        == len(answer.headers.get_list("cache-control"))
        == 1
    )


def test_every_file_is_served_with_its_type_and_once_only(api: Api) -> None:
    assert {"index.html", "app.js", "base.css", "icon.svg"} <= FILES.keys()
    for name, file in FILES.items():
        answer = api.get(f"/console/{name}")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
            200,
            file.body,
            file.kind,
        )
        again = api.get(f"/console/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "content-security-policy" in again.headers
    for name in ("nothing.js", "..%2Ffiles.py", "%2e%2e", "files.py", "static"):
        problem(api.get(f"/console/{name}"), 404, "not_found")
    problem(api.post("/console", json={}), 405, "method_not_allowed")


def test_turned_off_it_is_as_if_there_were_none(tmp_path: Path) -> None:
    with opened(tmp_path, console=False) as api:
        unknown = problem(api.get("/v1/nothing"), 404, "not_found")
        for path in ("/console", "/console/app.js", "/console/nothing.js"):
            found = problem(api.get(path), 404, "not_found")
            assert {**found, "instance": ""} == {**unknown, "instance": ""}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_file_names_another_host(name: str) -> None:
    addresses = set(
        re.findall(
            r"(?:https?:)?//[\w.-]+\.[a-z]+[\w./-]*",
            re.sub(r"^\s*//.*$", "", TEXTS[name], flags=re.MULTILINE),
        )
    )
    assert addresses <= {"http://www.w3.org/2000/svg"}, addresses


def test_the_page_has_no_program_and_no_style_of_its_own() -> None:
    page = TEXTS["index.html"]
    assert "<style" not in page
    assert not re.findall(r"\s(?:on\w+|style)=", page)
    assert re.findall(r"<script\b([^>]*)>([^<]*)", page) == [(' type="module" src="/console/app.js"', "")]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_turns_text_into_a_page_or_keeps_a_key(name: str) -> None:
    found = [sink for sink in SINKS if sink in SCRIPTS[name]]
    assert not found
    assert "localStorage" not in SCRIPTS[name] or name == "keys.js"  # whether single keys do something


def test_every_call_is_a_route_of_the_table() -> None:
    named = {f"{method} {path}" for text in SCRIPTS.values() for method, path in ROUTE.findall(text)}
    assert len(named) > 50
    assert {name for name in named if name not in BY_NAME and "/v1/vault" not in name} == set()


def test_every_module_is_used_and_every_import_is_there() -> None:
    imported = {
        name for text in SCRIPTS.values() for name in re.findall(r'(?:from|import) "\./([\w.]+)"', text)
    }
    assert imported | {"app.js"} == SCRIPTS.keys()


def test_modules_are_short() -> None:
    assert {name for name, text in TEXTS.items() if text.count("\n") > 300} == set()
