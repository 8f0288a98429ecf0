"""goAML's web service over real TLS: one upload of a report, whatever the service or the line does."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filingkit import (
    PASSWORD,
    USER,
    Authority,
    Fixed,
    Service,
    goaml,
    private_file,
    private_folder,
    serving,
    toml,
)
from hypothesis import given
from hypothesis import strategies as st

from txmon.filing import guarded
from txmon.filing.config import Config, load
from txmon.filing.errors import FilingFailed, FilingRefused, FilingRejected
from txmon.filing.send import acknowledgements, outcome, send, settle
from txmon.filing.transports import Tools, goamlrest
from txmon.filing.transports.goamlsaid import findings
from txmon.reports.formats import Finding

UPLOAD = "POST /api/Reports/PostReport"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make("filing tests")


@pytest.fixture
def service(authority: Authority, tmp_path: Path) -> Iterator[Service]:
    with serving(Service(), authority.server(tmp_path)) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def make(service: Service, authority: Authority, waits: list[float], tmp_path: Path) -> Callable[..., Config]:
    private_folder(tmp_path, "receipts")
    ca = authority.write(tmp_path / "ca.pem")
    secret = private_file(tmp_path / "password", PASSWORD + "\n")

    def made(**options: Any) -> Config:
        one = {
            "name": "fiu", "kind": "goamlrest", "jurisdictions": ["AE"], "formats": ["goaml"],
            "url": service.url, "user": USER, "password_file": str(secret), "ca_file": str(ca),
            "timeout_s": 10.0, "pause_s": 2.0, **options,
        }  # fmt: skip
        path = toml(tmp_path / "filing.toml", one, receipts=tmp_path / "receipts")
        return load(path, lambda _: True, waits.append)

    return made


def uploads(service: Service) -> int:
    return service.asked.count(UPLOAD)


@pytest.mark.parametrize("package", ["zip", "xml"])
@pytest.mark.parametrize("auth", ["token", "basic"])
def test_a_report_arrives_as_it_was_released(
    package: str, auth: str, service: Service, make: Callable[..., Config]
) -> None:
    receipt = send(goaml(), make(package=package, auth=auth), Fixed())
    assert service.uploads == [(f"STR-2026-0007.{package}", goaml().content)]
    assert (receipt.reference, receipt.transport, receipt.repeated) == ("KEY-1", "fiu", False)
    assert service.tokens == (1 if auth == "token" else 0)


@pytest.mark.parametrize("name", ["string", "token", "SqlAuthCookie", "access_token"])
def test_a_token_is_found_however_it_is_given(
    name: str, service: Service, make: Callable[..., Config]
) -> None:
    service.login_as = name
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"


def test_the_same_report_is_uploaded_once(service: Service, make: Callable[..., Config]) -> None:
    first = send(goaml(), make(), Fixed())
    assert send(goaml(), make(), Fixed()) == replace(first, repeated=True)
    assert uploads(service) == 1


def test_a_log_in_that_is_over_is_made_anew(service: Service, make: Callable[..., Config]) -> None:
    def forgetting(of: Service, name: str, xml: bytes) -> tuple[int, Any]:
        of.cookies.clear()
        return 503, "down"

    service.faults = [forgetting]
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"
    assert service.tokens == 2


def test_a_wrong_password_is_told_and_not_tried_again(service: Service, make: Callable[..., Config]) -> None:
    config = make()
    Path(config.routes[0].options.password_file).write_text("wrong\n")
    with pytest.raises(FilingFailed, match="log-in was refused") as caught:
        send(goaml(), config, Fixed())
    assert not caught.value.unsure
    assert service.asked == ["POST /api/Authenticate/GetToken"]
    assert "wrong\n" not in caught.value.detail


# the line and the service fail


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 429, "cut", "lose"])
def test_a_passing_failure_is_tried_again_and_the_report_is_there_once(
    fault: Any, service: Service, make: Callable[..., Config], waits: list[float]
) -> None:
    service.faults = [fault]
    receipt = send(goaml(), make(), Fixed())
    assert receipt.reference == "KEY-1"
    assert len(service.uploads) == 1
    assert {name for name, _ in service.uploads} == {"STR-2026-0007.zip"}
    assert waits == [7.0 if fault == 429 else 2.0]
    looked = any(line.startswith("GET /odata") for line in service.asked)
    assert looked == (fault != 429), "who may have it already is asked before anything is sent again"


def test_a_slow_service_that_took_it_is_not_sent_it_twice(
    service: Service, make: Callable[..., Config]
) -> None:
    service.faults, service.slow_s = ["slow"], 3.0
    receipt = send(goaml(), make(timeout_s=1.0), Fixed())
    assert receipt.reference == "KEY-1"
    assert uploads(service) == 1


def test_pauses_double_and_tries_end(
    service: Service, make: Callable[..., Config], waits: list[float]
) -> None:
    service.faults = [503] * 9
    with pytest.raises(FilingFailed, match="503") as caught:
        send(goaml(), make(tries=4), Fixed())
    assert caught.value.unsure
    assert waits == [2.0, 4.0, 8.0]
    assert uploads(service) == 4
    service.faults = []
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"


def test_lost_for_good_then_found_by_its_reference(service: Service, make: Callable[..., Config]) -> None:
    service.faults = ["lose"]
    with pytest.raises(FilingFailed):
        send(goaml(), make(tries=1), Fixed())
    receipt = send(goaml(), make(), Fixed())
    assert (receipt.reference, uploads(service)) == ("KEY-1", 1)


def test_a_kill_while_it_is_sent_is_found_out(service: Service, make: Callable[..., Config]) -> None:
    """The report arrived and this process ended before it knew."""
    config = make()

    child = os.fork()
    if child == 0:
        try:
            guarded.receipt_of = lambda *_: os._exit(9)  # type: ignore[assignment]
            send(goaml(), config, Fixed())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    receipt = send(goaml(), make(), Fixed())
    assert (receipt.reference, receipt.repeated) == ("KEY-1", False)
    assert uploads(service) == 1


def test_where_the_service_cannot_be_asked_a_person_says_what_became_of_it(
    service: Service, make: Callable[..., Config]
) -> None:
    config = make(reference_name="")
    service.faults = ["lose"]
    for _ in range(2):
        with pytest.raises(FilingFailed, match="ask the unit") as caught:
            send(goaml(), config, Fixed())
        assert caught.value.unsure
    assert uploads(service) == 1
    assert settle(goaml(), config, Fixed(), None) is None
    assert send(goaml(), config, Fixed()).reference == "KEY-2"


@pytest.mark.parametrize(
    "listing", [[], {}, {"value": None}, {"value": [{"EntityReference": "STR-2026-0007"}]}, "x"]
)
def test_a_list_that_cannot_be_read_never_means_that_nothing_arrived(
    listing: Any, service: Service, make: Callable[..., Config]
) -> None:
    service.faults, service.listing = ["lose"], lambda _: listing
    with pytest.raises(FilingFailed) as caught:
        send(goaml(), make(), Fixed())
    assert caught.value.unsure
    assert uploads(service) == 1


def test_reports_of_others_in_the_list_are_not_ours(service: Service, make: Callable[..., Config]) -> None:
    """A service that ignores the filter answers with everybody's reports."""
    other = {"ReportKey": "KEY-OTHER", "EntityReference": "STR-2026-00070", "Status": "Uploaded"}
    service.listing = lambda rows: {"value": [other, *rows]}
    service.faults = ["cut"]
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"


# who the service is


def test_a_certificate_of_somebody_else_gets_nothing(
    make: Callable[..., Config], service: Service, tmp_path: Path
) -> None:
    other = Authority.make("somebody else").write(tmp_path / "other.pem")
    with pytest.raises(FilingFailed, match="certificate") as caught:
        send(goaml(), make(ca_file=str(other)), Fixed())
    assert not caught.value.unsure
    assert service.asked == []
    one = make(ca_file=str(tmp_path / "ca.pem"))
    options = replace(one.routes[0].options, ca_file=None)  # the system's authorities know it as little
    with pytest.raises(FilingFailed, match="certificate"):
        send(goaml(), replace(one, routes=(replace(one.routes[0], options=options),)), Fixed())


def test_a_certificate_for_another_host_gets_nothing(
    authority: Authority, make: Callable[..., Config], tmp_path: Path
) -> None:
    with serving(Service(), authority.server(tmp_path, "fiu.example")) as impostor:
        with pytest.raises(FilingFailed, match="certificate"):
            send(goaml(), make(url=impostor.url), Fixed())
        assert impostor.asked == []


def test_plain_http_on_the_port_gets_nothing(make: Callable[..., Config]) -> None:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen()
        plain.settimeout(5)
        config = make(url=f"https://127.0.0.1:{plain.getsockname()[1]}", timeout_s=0.5, tries=1)
        with pytest.raises(FilingFailed):
            send(goaml(), config, Fixed())
        taken, _ = plain.accept()
        with taken:
            assert taken.recv(1) == b"\x16", "a TLS handshake and nothing else"


def test_nobody_there_is_told_and_nothing_is_unsure(make: Callable[..., Config], waits: list[float]) -> None:
    with pytest.raises(FilingFailed, match="cannot be reached") as caught:
        send(goaml(), make(url="https://127.0.0.1:1", tries=3), Fixed())
    assert not caught.value.unsure
    assert len(waits) == 2


def test_a_redirect_is_never_followed(service: Service, make: Callable[..., Config]) -> None:
    service.faults = ["redirect"]
    with pytest.raises(FilingFailed, match="points elsewhere"):
        send(goaml(), make(), Fixed())
    assert uploads(service) == 1


def test_the_proxy_of_the_environment_is_not_asked(
    service: Service, make: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"


def test_an_endless_answer_is_cut_off(service: Service, make: Callable[..., Config]) -> None:
    service.faults = [lambda *_: (200, b'"' + b"x" * 2_000_000 + b'"')]
    with pytest.raises(FilingFailed, match="longer than") as caught:
        send(goaml(), make(), Fixed())
    assert caught.value.unsure


# what the service says of the report


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"errors": [{"line": 4, "message": "not registered"}]}, "report/rentity_id"),
        ({"Errors": {"rentity_id": ["not registered"]}}, "report/rentity_id"),
        ([{"XPath": "/report/rentity_id[1]", "ErrorMessage": "not registered"}], "report/rentity_id"),
        ("Line 4: not registered", "report/rentity_id"),
        ("Element 'rentity_id': not registered", "report/rentity_id"),
        ({"detail": "not registered"}, "report"),
        (b"not registered", "report"),
    ],
)
def test_what_the_service_has_against_a_report_is_shown_at_its_place(
    status: int, body: Any, path: str, service: Service, make: Callable[..., Config]
) -> None:
    service.faults = [lambda *_: (status, body)]
    with pytest.raises(FilingRejected) as caught:
        send(goaml(), make(), Fixed())
    (found,) = caught.value.findings
    assert (found.path, found.code) == (path, "authority")
    assert "not registered" in found.message
    assert uploads(service) == 1
    assert send(goaml(), make(), Fixed()).reference == "KEY-1", (
        "a rejected upload is over; it may be sent anew"
    )


def test_a_duplicate_that_the_service_names_is_the_report_it_has(
    service: Service, make: Callable[..., Config]
) -> None:
    service.take("STR-2026-0007.xml", goaml().content)
    service.faults = [lambda *_: (409, "exists")]
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"


def test_what_arrived_and_was_rejected_is_told(service: Service, make: Callable[..., Config]) -> None:
    service.faults = ["lose"]
    with pytest.raises(FilingFailed):
        send(goaml(), make(tries=1), Fixed())
    (row,) = service.reports.values()
    row.update(Status="Rejected", Errors="Line 4: not registered")
    with pytest.raises(FilingRejected, match="not registered"):
        send(goaml(), make(), Fixed())
    assert uploads(service) == 1


def test_the_rejection_of_an_earlier_version_never_makes_a_second_upload(
    service: Service, make: Callable[..., Config]
) -> None:
    """The unit rejected the first version; the corrected one, of the same reference, got lost on the way."""
    old = {"ReportKey": "KEY-OLD", "EntityReference": "STR-2026-0007", "Status": "Rejected"}
    rows = [old]
    service.listing = lambda _: {"value": rows}
    service.faults = ["lose"]
    for _ in range(2):
        with pytest.raises(FilingRejected) as caught:
            send(goaml(), make(), Fixed())
        assert caught.value.unsure
    rows.append({**old, "ReportKey": "KEY-NEW", "Status": "Uploaded"})
    assert send(goaml(), make(), Fixed()).reference == "KEY-NEW"
    assert uploads(service) == 1


def test_no_secret_shows_in_what_is_printed_of_a_channel(make: Callable[..., Config]) -> None:
    channel = goamlrest.channel(make().routes[0].options, Tools("fiu", Fixed(), lambda _: None))
    assert PASSWORD not in repr(channel) + repr(channel.wire._account)


@pytest.mark.parametrize("body", [b"", "", "a b c", None, {}, {"ReportKey": "x" * 300}, "<html>", [1]])
def test_an_upload_without_a_key_is_looked_up(
    body: Any, service: Service, make: Callable[..., Config]
) -> None:
    def taken(of: Service, name: str, xml: bytes) -> tuple[int, Any]:
        of.take(name, xml)
        return 200, body

    service.faults = [taken]
    assert send(goaml(), make(), Fixed()).reference == "KEY-1"
    assert uploads(service) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_a_wrong_path_is_told(status: int, service: Service, make: Callable[..., Config]) -> None:
    service.faults = [status]
    with pytest.raises(FilingFailed, match="upload_path"):
        send(goaml(), make(), Fixed())
    assert uploads(service) == 1


def test_a_report_over_the_limit_is_not_sent(service: Service, make: Callable[..., Config]) -> None:
    with pytest.raises(FilingRefused, match="split it"):
        send(goaml(), make(most_bytes=100), Fixed())
    assert service.asked == []


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Accepted", "accepted"), ("processed", "accepted"), (" Rejected ", "rejected"),
        ("Failed Validation", "rejected"), ("Not Accepted", "pending"), ("Uploaded", "pending"),
        ("", "pending"), (None, "pending"), (7, "pending"),
    ],
)  # fmt: skip
def test_only_known_words_decide_what_became_of_it(
    status: Any, state: str, service: Service, make: Callable[..., Config]
) -> None:
    config = make()
    receipt = send(goaml(), config, Fixed())
    (row,) = service.reports.values()
    row.update(Status=status, Errors='[{"line": 4, "message": "not registered"}]')
    found = outcome(receipt, config, Fixed(), goaml().content)
    assert found.state == state
    paths = [one.path for one in found.findings]
    assert paths == (["report/rentity_id"] if state == "rejected" else [])


def test_a_report_that_is_not_listed_is_pending(service: Service, make: Callable[..., Config]) -> None:
    config = make()
    receipt = send(goaml(), config, Fixed())
    service.reports.clear()
    assert outcome(receipt, config, Fixed()).words == "not listed"
    assert acknowledgements(config, Fixed()) == []


said = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["errors", "line", "message", "path", "Value", "x"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(said)
def test_whatever_a_service_says_becomes_findings_that_can_be_shown(told: Any) -> None:
    for found in findings(told, b"<report><rentity_id>1</rentity_id></report>"):
        assert isinstance(found, Finding)
        assert found.path.isprintable()
        assert found.message.isprintable()
        assert len(found.message) <= 1000
