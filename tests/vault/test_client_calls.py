"""The client's calls to the vault, over a real port: a report from its draft to its acknowledgement."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "client"))

from test_client_service import client, served
from vaultapi import VaultDesk, vault_desk

from txmon.client import AsyncClient, Options, Refused

WHY = "the filing"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VaultDesk, str]]:
    with vault_desk(tmp_path_factory.mktemp("client")) as desk:
        desk.mlro = _key(desk, "psn_aaaaaaaaaaaaaaaa")
        desk.release = _key(desk, "psn_bbbbbbbbbbbbbbbb")
        with served(desk.api) as url:
            yield desk, url


def _key(desk: VaultDesk, person: str) -> str:
    return desk.named(person, person, f"key_{person[4:]}")


def test_a_report_from_its_draft_to_its_acknowledgement(here: tuple[VaultDesk, str]) -> None:
    desk, url = here
    case_id = desk.open(desk.alert())
    with client(url, desk.mlro) as ana, client(url, desk.release) as ben:
        made = ana.draft_report(case_id, ["goaml"])
        report_id, model = made["report_id"], ana.report(made["report_id"], purpose=WHY)["model"]
        model["report"]["actions"][0]["text"] = "The accounts are closed."
        made = ana.edit_report(report_id, made["version"], model)
        with pytest.raises(Refused) as caught:
            ana.edit_report(report_id, 1, model)
        assert caught.value.reason == "conflict"
        made = ana.do_with_report(report_id, "signature", made["version"])
        assert ana.do_with_report(report_id, "check")["ready"] is True
        made = ana.do_with_report(report_id, "submission", made["version"])
        made = ben.do_with_report(report_id, "release", made["version"], reason="agreed")
        assert ben.report(report_id, "files/goaml", purpose=WHY)["format"] == "goaml"
        assert ana.do_with_report(report_id, "comments", text="sent")["comment_id"]
        assert len(ana.report(report_id, "comments", purpose=WHY)["items"]) == 1
        answered = {"format": "goaml", "accepted": True, "authority_id": "F"}
        ana.do_with_report(report_id, "acknowledgement", made["version"], **answered)
        assert [each["state"] for each in ana.reports(purpose=WHY, case_id=case_id).items] == ["acknowledged"]
        assert not ana.reminders(purpose=WHY).items


def test_to_others_it_is_not_found(here: tuple[VaultDesk, str]) -> None:
    desk, url = here
    with client(url, desk.ana) as somebody:
        for ask in (lambda c: c.reports(purpose=WHY), lambda c: c.draft_report("cas_x", ["goaml"])):
            with pytest.raises(Refused) as caught:
                ask(somebody)
            assert caught.value.reason == "not_found"


def test_the_same_names_await(here: tuple[VaultDesk, str]) -> None:
    desk, url = here
    case_id = desk.open(desk.alert())

    async def go() -> None:
        options = Options(timeout_s=30.0, on_failure="closed", background=False)
        async with AsyncClient(url, desk.mlro, options) as c:
            made = await c.draft_report(case_id, ["goaml"])
            found = await c.report(made["report_id"], purpose=WHY)
            made = await c.edit_report(made["report_id"], 1, found["model"], formats=["html"])
            assert (await c.do_with_report(made["report_id"], "signature", made["version"]))["version"] == 3
            assert len((await c.reminders(purpose=WHY)).items) >= 1
            assert (await c.reports(purpose=WHY, state="draft")).items[0]["formats"] == ["html"]

    asyncio.run(go())
