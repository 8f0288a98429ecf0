"""Links of outside accounts to people: made by two, one human whatever they are used with, ended at once."""

from __future__ import annotations

import json

import pytest
from accesskit import Office, open_office

from txmon.errors import AuthError, Forbidden, FourEyes, InputError, NotFound, StoreConflict
from txmon.store import Store, foureyes, journal
from txmon.store.access import KeySpec
from txmon.store.links import link_of, list_links

ISSUER = "https://login.example.com"


@pytest.fixture
def office(store: Store) -> Office:
    return open_office(store)


def link(office: Office, person: str | None, subject: str) -> str:
    with office.store.write() as tx:
        made, grant = office.access.propose_link(tx, office.ana, person or "", ISSUER, subject)
        office.access.decide_grant(tx, grant, office.ben)
    return made


def refused(office: Office, subject: str, issuer: str = ISSUER) -> str:
    with pytest.raises(AuthError) as caught:
        office.access.recognise(issuer, subject)
    assert subject not in str(caught.value)
    return caught.value.reason


def test_a_subject_is_nobody_until_two_people_say_who_it_is(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"}, person_entities=["north"])
    assert refused(office, "cem-1") == "unlinked"
    with office.store.write() as tx:
        made, grant = office.access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "cem-1")
    assert refused(office, "cem-1") == "unlinked"
    with office.store.write() as tx, pytest.raises(FourEyes):
        office.access.decide_grant(tx, grant, office.ana)
    assert refused(office, "cem-1") == "unlinked"
    with office.store.write() as tx:
        office.access.decide_grant(tx, grant, office.ben)
    who = office.access.recognise(ISSUER, "cem-1")
    assert (who.identity, who.person_id, who.key_id) == (cem.identity, cem.person_id, made)
    assert (who.roles, who.entities, who.mode) == (frozenset({"analyst"}), frozenset({"north"}), None)
    assert refused(office, "cem-1", "https://login.example.org") == "unlinked"
    assert refused(office, "CEM-1") == "unlinked"


def test_whom_a_link_is_for_does_not_approve_it(office: Office) -> None:
    with office.store.write() as tx:
        _, grant = office.access.propose_link(tx, office.ana, office.ben.person_id or "", ISSUER, "ben")
    with office.store.write() as tx, pytest.raises(FourEyes, match="third person"):
        office.access.decide_grant(tx, grant, office.ben)
    assert refused(office, "ben") == "unlinked"


def test_a_person_by_key_and_by_link_is_one_pair_of_eyes(office: Office) -> None:
    link(office, _third(office), "ana")
    by_link = office.access.recognise(ISSUER, "ana")
    person = by_link.person_id
    with office.store.write() as tx:
        spec = KeySpec("gate", frozenset({"ingest"}), None, frozenset({"ingest"}))
        made = office.access.create_key(tx, by_link, spec)
    with office.store.write() as tx:
        key = office.access.create_key(tx, by_link, KeySpec("own", frozenset({"admin"}), person))
        office.access.decide_grant(tx, key.grant_id or "", office.ben)
    by_key = office.who(key.token)
    assert by_key.key_id != by_link.key_id
    with office.store.write() as tx, pytest.raises(FourEyes, match="another person"):
        office.access.decide_grant(tx, made.grant_id or "", by_key)
    with office.store.write() as tx:
        office.access.decide_grant(tx, made.grant_id or "", office.ben)


def _third(office: Office) -> str:
    dora, _ = office.hire("Dora", {"admin", "approver"}, {"admin"})
    return dora.person_id or ""


def test_a_link_ends_at_once_and_its_subject_may_be_linked_anew(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"})
    dora, _ = office.hire("Dora", {"analyst"})
    made = link(office, cem.person_id, "desk-7")
    for again in (cem, dora):
        with office.store.write() as tx, pytest.raises(StoreConflict, match="linked"):
            office.access.propose_link(tx, office.ana, again.person_id or "", ISSUER, "desk-7")
    with office.store.write() as tx, pytest.raises(Forbidden):
        office.access.revoke_link(tx, dora, made)
    with office.store.write() as tx:
        office.access.revoke_link(tx, cem, made)
    assert refused(office, "desk-7") == "revoked"
    link(office, dora.person_id, "desk-7")
    assert office.access.recognise(ISSUER, "desk-7").identity == dora.identity
    with office.store.write() as tx:
        office.access.disable_person(tx, office.ana, dora.person_id or "")
    assert refused(office, "desk-7") == "revoked"


def test_a_link_that_was_ended_or_changed_is_not_approved(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        made, grant = office.access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "a")
        office.access.revoke_link(tx, office.ana, made)
    with pytest.raises(StoreConflict, match="ended meanwhile"), office.store.write() as tx:
        office.access.decide_grant(tx, grant, office.ben)
    with office.store.write() as tx:
        office.access.decide_grant(tx, grant, office.ben, False, "ended")
        other, second = office.access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "b")
        office.access.decide_grant(tx, second, office.ben, False, "not Cem's")
    with office.store.read() as conn:
        assert [each.state for each in list_links(conn)] == ["revoked", "revoked"]
        assert link_of(conn, other).subject == "b"
        with pytest.raises(NotFound):
            link_of(conn, "lnk_none")
        assert foureyes.listed(conn) == []


@pytest.mark.parametrize(
    ("issuer", "subject"), [("", "a"), (ISSUER, ""), (ISSUER, " a"), (ISSUER, "a\n"), (ISSUER, "x" * 256)]
)
def test_what_no_token_says_is_not_linked(office: Office, issuer: str, subject: str) -> None:
    with office.store.write() as tx, pytest.raises(InputError):
        office.access.propose_link(tx, office.ana, office.ana.person_id or "", issuer, subject)


def test_only_administrators_link_and_only_within_their_entities(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"})
    narrow, _ = office.hire("Eli", {"admin"}, {"admin"}, person_entities=["north"])
    for by in (cem, narrow):
        with office.store.write() as tx, pytest.raises(Forbidden):
            office.access.propose_link(tx, by, cem.person_id or "", ISSUER, "cem")
    with office.store.write() as tx:
        _, grant = office.access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "cem")
    with office.store.write() as tx, pytest.raises(Forbidden):
        office.access.decide_grant(tx, grant, narrow)


def test_every_step_of_a_link_is_in_the_journal(office: Office) -> None:
    made = link(office, _third(office), "dora")
    with office.store.write() as tx:
        office.access.revoke_link(tx, office.ana, made)
    told = [json.loads(each.document) for each in journal.read(office.store, kinds=["decision"])]
    (first,) = [each for each in told if each["decision"] == "link.made"]
    (last,) = [each for each in told if each["decision"] == "link.revoked"]
    assert (first["by"], first["made"], len(first["print"])) == (office.ana.identity, made, 64)
    assert (last["by"], last["revoked"]) == (office.ana.identity, made)
