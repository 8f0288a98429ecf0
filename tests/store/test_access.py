"""People and keys: who gets in, who may grant what, and that every grant has two people behind it."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from accesskit import Office, open_office
from storekit import chance, open_store
from txkit import START_US

from txmon.errors import AuthError, Forbidden, FourEyes, InputError, NotFound, StoreConflict, StoreUnavailable
from txmon.store import Store, identity, journal
from txmon.store.access import DAY_US, Access, KeySpec, NewKey, list_keys, list_people
from txmon.store.schema import api_keys, people
from txmon.store.verify import verify

READ = frozenset({"read"})


@pytest.fixture
def office(store: Store) -> Office:
    return open_office(store)


def refused(office: Office, token: str, at_us: int | None = None) -> str:
    with pytest.raises(AuthError) as caught:
        office.access.authenticate(token, office.now() if at_us is None else at_us)
    assert len(token) < 9 or token not in str(caught.value)
    return caught.value.reason


# -- keys as text ------------------------------------------------------------------------------------


def test_a_key_is_256_random_bits_with_a_prefix() -> None:
    made = [identity.new_token(mode, chance(i)) for i in range(50) for mode in (None, "live", "test")]
    assert len(set(made)) == 100  # None and live read alike
    for token in made:
        assert len(token) == 4 + 5 + 9 + 43
        assert identity.prefix_of(token) == token[9:17]
        assert len(identity.digest(token)) == 32


def test_the_text_of_a_key_is_told_once_and_stored_nowhere(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        office = open_office(store)
        key = office.service()
        tokens = [key.token, *(k.token for k in office.keys)]
        assert all(t not in repr(k) for t in tokens for k in [key, *office.keys])
        raw = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
        for token in tokens:
            assert token.encode() not in raw
            assert token[18:].encode() not in raw
            assert token[9:17].encode() in raw  # its prefix is
        with store.read() as conn:
            assert "sha256" not in {f.name for f in dataclasses.fields(list_keys(conn)[0])}


# -- authentication ----------------------------------------------------------------------------------


def test_what_is_no_key_is_refused_with_its_reason(office: Office) -> None:
    token = office.keys[0].token
    assert office.who(token).name == "Ana"
    assert refused(office, "") == "missing"
    for bad in (
        "x",
        token[:-1],
        token + "A",
        token.upper(),
        " " + token,
        token + "\n",
        "txm_live_" + "é" * 52,
        "Bearer " + token,
    ):
        assert refused(office, bad) == "malformed"
    other = "txm_live_aaaaaaaa_" + token[18:]
    assert refused(office, other) == "unknown"
    wrong = token[:18] + ("B" if token[18] != "B" else "C") + token[19:]
    assert refused(office, wrong) == "unknown"
    assert refused(office, token.replace("_live_", "_test_")) == "unknown"


def test_a_key_expires_at_its_time(office: Office) -> None:
    end = office.now() + DAY_US
    key = office.service(expires_us=end)
    assert office.access.authenticate(key.token, end - 1).kind == "service"
    assert refused(office, key.token, end) == "expired"
    with office.store.write() as tx, pytest.raises(InputError, match="would have expired"):
        office.access.create_key(
            tx, office.ana, KeySpec("x", READ, None, frozenset({"ingest"}), expires_us=1)
        )


def test_a_revoked_key_is_out_with_the_commit_and_not_before(office: Office) -> None:
    key = office.service()
    office.who(key.token)
    with office.store.write() as tx:
        office.access.revoke_key(tx, office.ben, key.key_id)
        office.who(key.token)  # not committed yet
    assert refused(office, key.token) == "revoked"
    with office.store.write() as tx:
        office.access.revoke_key(tx, office.ben, key.key_id)  # again: nothing happens
    assert len([d for d in decisions(office.store) if d["decision"] == "key.revoked"]) == 1


def test_a_revocation_that_was_rolled_back_did_not_happen(office: Office) -> None:
    key = office.service()

    def revoke_and_fail() -> None:
        with office.store.write() as tx:
            office.access.revoke_key(tx, office.ben, key.key_id)
            office.access.revoke_key(tx, office.ben, "key_x")

    with pytest.raises(NotFound):
        revoke_and_fail()
    assert office.who(key.token).kind == "service"  # the key's making was not read yet, and is now
    other = office.service("other")
    assert office.who(key.token).kind == office.who(other.token).kind == "service"


def test_nobody_gets_in_on_old_knowledge(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    key = office.service()
    with office.store.write() as tx:
        office.access.revoke_key(tx, office.ana, key.key_id)

    def gone() -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(office.store, "read", gone)
        with pytest.raises(StoreUnavailable):
            office.who(key.token)
    assert refused(office, key.token) == "revoked"


def test_another_handle_knows_the_same_keys(office: Office, place: str) -> None:
    key = office.service()
    again = Access(office.store)
    assert again.authenticate(key.token, office.now()) == office.who(key.token)


def test_authentication_reads_no_table(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    key = office.service()
    office.who(key.token)
    monkeypatch.setattr(office.store, "read", None)
    for _ in range(100):
        office.who(key.token)


def test_last_use_is_written_at_most_once_a_minute(office: Office) -> None:
    key = office.service()
    start = office.now()
    for i in range(100):
        office.access.authenticate(key.token, start + i * 1_000_000)
    with office.store.write() as tx:
        assert office.access.write_last_used(tx) == 3  # Ana's and Ben's as well
    with office.store.write() as tx:
        assert office.access.write_last_used(tx) == 0
    with office.store.read() as conn:
        assert {k.id: k.last_used_us for k in list_keys(conn)}[key.key_id] == start + 60_000_000


def test_many_threads_and_a_writer(office: Office) -> None:
    keys = [office.service(f"s{i}") for i in range(5)]
    faults: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for key in keys[1:]:
                try:
                    office.access.authenticate(key.token, START_US)
                except AuthError as error:
                    faults.append(error.reason)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(5):
        other = office.service(f"more{i}")
        with office.store.write() as tx:
            office.access.revoke_key(tx, office.ana, other.key_id)
        assert refused(office, other.token) == "revoked"
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []


# -- what a key may do -------------------------------------------------------------------------------


def test_two_keys_of_a_person_are_one_identity_and_two_services_are_two(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        second = office.access.create_key(
            tx, cem, KeySpec("Cem", frozenset({"read", "explain"}), cem.person_id)
        )
        office.access.decide_grant(tx, second.grant_id or "", office.ben)
    again = office.who(second.token)
    assert again.key_id != cem.key_id
    assert again.identity == cem.identity == f"person:{cem.person_id}"
    assert again.scopes == {"read", "explain"}
    assert len({office.who(office.service(n).token).identity for n in ("a", "b")}) == 2


def test_a_key_does_no_more_than_its_owner_and_itself_may(office: Office) -> None:
    cem, key = office.hire(
        "Cem", {"analyst"}, person_entities=["a", "b"], entities=frozenset({"b", "c"}), mode="test"
    )
    assert (cem.entities, cem.mode, cem.roles) == ({"b"}, "test", {"analyst"})
    assert key.token.startswith("txm_test_")
    assert cem.may_touch("test", "b")
    assert not cem.may_touch("live", "b")
    assert not cem.may_touch("test", "a")
    assert office.ana.may_touch("live", "whatever")
    cem.require("read")
    cem.require("read", ["analyst", "admin"])
    for scope, roles in (("admin", []), ("read", ["approver"])):
        with pytest.raises(Forbidden):
            cem.require(scope, roles)


def test_new_roles_reach_keys_that_are_out_already(office: Office) -> None:
    cem, key = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        grant = office.access.propose_grant(tx, office.ana, cem.person_id or "", {"auditor"}, ["a"])
    assert office.who(key.token).roles == {"analyst"}
    with office.store.write() as tx:
        office.access.decide_grant(tx, grant, office.ben)
    assert (office.who(key.token).roles, office.who(key.token).entities) == ({"auditor"}, {"a"})


BAD_SPECS = [
    KeySpec("x", READ),
    KeySpec("x", frozenset(), None, frozenset({"ingest"})),
    KeySpec("x", frozenset({"admin"}), None, frozenset({"ingest"})),
    KeySpec("x", frozenset({"enrol"}), None, frozenset({"ingest"})),
    KeySpec("x", READ, None, frozenset({"approver"})),
    KeySpec("x", READ, None, frozenset({"admin"})),
    KeySpec("x", READ, None, frozenset({"safeguarding"})),
    KeySpec("x", READ, None, frozenset({"mlro"})),
    KeySpec("x", READ, "psn_x", frozenset({"analyst"})),
    KeySpec("x", READ, None, frozenset({"ingest"}), mode="both"),
    KeySpec("x", READ, None, frozenset({"ingest"}), entities=frozenset()),
    KeySpec("", READ, None, frozenset({"ingest"})),
    KeySpec("a\nb", READ, None, frozenset({"ingest"})),
    KeySpec("x" * 81, READ, None, frozenset({"ingest"})),
]  # fmt: skip


def test_what_no_key_may_be(office: Office) -> None:
    for spec in BAD_SPECS:
        with office.store.write() as tx, pytest.raises(InputError):
            office.access.create_key(tx, office.ana, spec)
    with office.store.write() as tx, pytest.raises(NotFound):
        office.access.create_key(tx, office.ana, KeySpec("x", READ, "psn_x"))
    for roles in ({"mlro"}, {"mlro_release"}, {"examiner"}, {"king"}):
        with office.store.write() as tx, pytest.raises(InputError):
            office.access.create_person(tx, office.ana, "Cem", roles)
    for name in ("", " ", "a\0b", "x" * 81):
        with office.store.write() as tx, pytest.raises(InputError):
            office.access.create_person(tx, office.ana, name, {"analyst"})


# -- four eyes on grants -----------------------------------------------------------------------------


def test_a_grant_works_when_another_person_approved_it(office: Office) -> None:
    with office.store.write() as tx:
        person, grant = office.access.create_person(tx, office.ana, "Cem", {"analyst"})
        key = office.access.create_key(tx, office.ana, KeySpec("Cem", READ, person))
    assert refused(office, key.token) == "unknown"
    with office.store.write() as tx:
        office.access.decide_grant(tx, key.grant_id or "", office.ben)
    assert refused(office, key.token) == "unknown"  # the person is not approved yet
    with office.store.write() as tx:
        office.access.decide_grant(tx, grant, office.ben)
    assert office.who(key.token).name == "Cem"


def test_nobody_approves_what_is_his_own(office: Office) -> None:
    cem, _ = office.hire("Cem", {"admin", "approver"}, ["read", "admin"])
    with office.store.write() as tx:
        mine = office.access.create_key(tx, office.ana, KeySpec("s", READ, None, frozenset({"ingest"})))
        second = office.access.create_key(tx, office.ana, KeySpec("Ana", READ, office.ana.person_id))
        office.access.decide_grant(tx, second.grant_id or "", office.ben)
    ana_again = office.who(second.token)
    for who in (office.ana, ana_again):
        with office.store.write() as tx, pytest.raises(FourEyes, match="ask another person"):
            office.access.decide_grant(tx, mine.grant_id or "", who)
    service = office.who(office.service().token)
    with office.store.write() as tx, pytest.raises(FourEyes, match="a service"):
        office.access.decide_grant(tx, mine.grant_id or "", service)
    with office.store.write() as tx:
        for_cem = office.access.propose_grant(
            tx, office.ana, cem.person_id or "", {"admin", "approver", "auditor"}
        )
    with pytest.raises(FourEyes, match="a third person"), office.store.write() as tx:
        office.access.decide_grant(tx, for_cem, cem)
    analyst, _ = office.hire("Dora", {"analyst"})
    with office.store.write() as tx, pytest.raises(Forbidden, match="takes the role"):
        office.access.decide_grant(tx, for_cem, analyst)
    assert refused(office, mine.token) == "unknown"
    assert "auditor" not in office.who(office.keys[0].token).roles
    with office.store.write() as tx:
        office.access.decide_grant(tx, for_cem, office.ben)
        with pytest.raises(StoreConflict, match="approved already"):
            office.access.decide_grant(tx, for_cem, office.ben)


def test_a_key_made_by_another_only_lets_its_owner_exchange_it(office: Office) -> None:
    with office.store.write() as tx:
        person, grant = office.access.create_person(tx, office.ana, "Cem", {"admin", "approver"})
        key = office.access.create_key(tx, office.ana, KeySpec("Cem", frozenset({"read", "admin"}), person))
        office.access.decide_grant(tx, grant, office.ben)
        office.access.decide_grant(tx, key.grant_id or "", office.ben)
        open_grant = office.access.create_key(tx, office.ana, KeySpec("s", READ, None, frozenset({"ingest"})))
    ana_as_cem = office.who(key.token)
    assert (ana_as_cem.scopes, ana_as_cem.roles) == ({"enrol"}, frozenset())
    assert not ana_as_cem.may_touch("live", "a")
    for attempt in (
        lambda tx: office.access.decide_grant(tx, open_grant.grant_id or "", ana_as_cem),
        lambda tx: office.access.create_key(tx, ana_as_cem, KeySpec("Cem", READ, person)),
        lambda tx: office.access.create_person(tx, ana_as_cem, "E", {"analyst"}),
        lambda tx: office.access.disable_person(tx, ana_as_cem, office.ben.person_id or ""),
    ):
        with office.store.write() as tx, pytest.raises(Forbidden, match="rotate it"):
            attempt(tx)
    with office.store.write() as tx, pytest.raises(Forbidden, match="by that person alone"):
        office.access.rotate_key(tx, office.ana, key.key_id)
    with office.store.write() as tx:
        own = office.access.rotate_key(tx, ana_as_cem, key.key_id)
    assert refused(office, key.token) == "revoked"
    cem = office.who(own.token)
    assert (cem.scopes, cem.roles) == ({"read", "admin"}, {"admin", "approver"})
    with office.store.write() as tx:
        office.access.decide_grant(tx, open_grant.grant_id or "", cem)


def test_a_refused_grant_leaves_nothing_usable(office: Office) -> None:
    with office.store.write() as tx:
        person, grant = office.access.create_person(tx, office.ana, "Cem", {"analyst"})
        key = office.access.create_key(tx, office.ana, KeySpec("Cem", READ, person))
        with pytest.raises(InputError, match="say why"):
            office.access.decide_grant(tx, grant, office.ben, False)
        office.access.decide_grant(tx, grant, office.ben, False, "not hired")
        office.access.decide_grant(tx, key.grant_id or "", office.ben, False, "not hired")
    assert refused(office, key.token) == "revoked"
    with office.store.read() as conn:
        assert [p.state for p in list_people(conn)] == ["active", "active", "disabled"]
    with office.store.write() as tx, pytest.raises(StoreConflict, match="was disabled"):
        office.access.propose_grant(tx, office.ana, person, {"analyst"})


def test_only_administrators_grant_and_only_within_their_entities(office: Office) -> None:
    cem, _ = office.hire("Cem", {"analyst"}, ["read", "admin"])
    noscope, _ = office.hire("Dora", {"admin"}, ["read"])
    service = office.who(office.service(scopes=["read"], roles=["analyst"]).token)
    for who in (cem, noscope, service):
        with office.store.write() as tx, pytest.raises(Forbidden):
            office.access.create_person(tx, who, "E", {"analyst"})
        with office.store.write() as tx, pytest.raises(Forbidden):
            office.access.create_key(tx, who, KeySpec("s", READ, None, frozenset({"ingest"})))
        with office.store.write() as tx, pytest.raises(Forbidden):
            office.access.revoke_key(tx, who, office.keys[0].key_id)
    local, _ = office.hire("Eva", {"admin"}, ["read", "admin"], person_entities=["a"])
    with office.store.write() as tx:
        office.access.create_person(tx, local, "Fay", {"analyst"}, ["a"])
        for entities in (None, ["b"], ["a", "b"]):
            with pytest.raises(Forbidden, match="own reporting entities"):
                office.access.create_person(tx, local, "Gus", {"analyst"}, entities)
        _, wide = office.access.create_person(tx, office.ana, "Hal", {"analyst"})
    with pytest.raises(Forbidden, match="own reporting entities"), office.store.write() as tx:
        office.access.decide_grant(tx, wide, local)


def test_a_disabled_person_is_out_with_every_key(office: Office) -> None:
    cem, key = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        with pytest.raises(InputError, match="himself"):
            office.access.disable_person(tx, office.ana, office.ana.person_id or "")
        with pytest.raises(NotFound):
            office.access.disable_person(tx, office.ana, "psn_x")
        office.access.disable_person(tx, office.ana, cem.person_id or "")
    assert refused(office, key.token) == "revoked"
    with office.store.write() as tx, pytest.raises(InputError, match="of no use"):
        office.access.create_key(tx, office.ana, KeySpec("Cem", READ, cem.person_id))


# -- rotation ----------------------------------------------------------------------------------------


def test_rotation_overlaps_and_widens_nothing(office: Office) -> None:
    end = office.now() + 30 * DAY_US
    key = office.service(expires_us=end, entities=frozenset({"a"}), mode="test")
    with office.store.write() as tx:
        new = office.access.rotate_key(tx, office.ben, key.key_id, 2 * DAY_US)
        with pytest.raises(StoreConflict, match="rotated before"):
            office.access.rotate_key(tx, office.ben, key.key_id)
        for days in (-1, 8):
            with pytest.raises(InputError, match="0 to 7 days"):
                office.access.rotate_key(tx, office.ben, new.key_id, days * DAY_US)
    now = office.now()
    old_who, new_who = office.who(key.token), office.who(new.token)
    assert dataclasses.replace(old_who, key_id=None, identity="") == dataclasses.replace(
        new_who, key_id=None, identity=""
    )
    assert office.access.authenticate(key.token, now + DAY_US).mode == "test"
    assert refused(office, key.token, now + 2 * DAY_US) == "expired"
    assert office.access.authenticate(new.token, now + 29 * DAY_US).mode == "test"
    assert refused(office, new.token, now + 31 * DAY_US) == "expired"
    with office.store.write() as tx:
        last = office.access.rotate_key(tx, office.ben, new.key_id, 0)
    assert refused(office, new.token) == "revoked"
    with office.store.read() as conn:
        chain = {k.id: k.replaced_by for k in list_keys(conn)}
    assert (chain[key.key_id], chain[new.key_id], chain[last.key_id]) == (new.key_id, last.key_id, None)


def test_a_person_rotates_and_revokes_what_is_his_own(office: Office) -> None:
    cem, key = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        with pytest.raises(Forbidden):
            office.access.rotate_key(tx, cem, office.keys[0].key_id)
        new = office.access.rotate_key(tx, cem, key.key_id)
        office.access.revoke_key(tx, cem, key.key_id)
    assert refused(office, key.token) == "revoked"
    assert office.who(new.token).identity == cem.identity


# -- bootstrap ---------------------------------------------------------------------------------------


def test_the_first_two_administrators(store: Store) -> None:
    access = Access(store)
    for names in ([], ["Ana"], ["Ana", "Ana"], ["Ana", "Ben", "Ben"]):
        with store.write() as tx, pytest.raises(InputError, match="two different people"):
            access.bootstrap(tx, [(name, []) for name in names])
    with store.write() as tx:
        keys = access.bootstrap(tx, [("Ana", []), ("Ben", ["approver"])])
    who = [access.authenticate(key.token, START_US) for key in keys]
    assert [(w.name, w.roles) for w in who] == [("Ana", {"admin"}), ("Ben", {"admin", "approver"})]
    with store.write() as tx, pytest.raises(StoreConflict, match="already"):
        access.bootstrap(tx, [("Cem", []), ("Dora", [])])
    with store.write() as tx:
        for w, key in zip(who, keys, strict=True):
            access.revoke_key(tx, w, key.key_id)
    with store.write() as tx:  # nobody is left: a way back in for who has the machine
        with pytest.raises(StoreConflict, match="of this name"):
            access.bootstrap(tx, [("Ana", []), ("Eve", [])])
        assert len(access.bootstrap(tx, [("Ana Two", []), ("Eve", [])])) == 2


# -- journal and erasure -----------------------------------------------------------------------------


def decisions(store: Store) -> list[dict[str, object]]:
    return [json.loads(e.document) for e in journal.read(store, kinds=["decision"])]


def test_every_change_is_in_the_journal_with_who_and_without_secrets(office: Office) -> None:
    cem, key = office.hire("Cem", {"analyst"})
    with office.store.write() as tx:
        office.access.revoke_key(tx, cem, key.key_id)
        office.access.disable_person(tx, office.ana, cem.person_id or "")
    found = decisions(office.store)
    assert [d["decision"] for d in found] == [
        "access.bootstrap", "access.bootstrap", "person.named", "proposal.proposed", "proposal.approved", "grant.applied",
        "key.made", "proposal.proposed", "proposal.approved", "grant.applied", "key.rotated", "key.revoked", "person.disabled",
    ]  # fmt: skip
    assert all(d["by"] and "key" in d for d in found)
    text = json.dumps(found)
    for secret in [key.token, *(k.token for k in office.keys)]:
        assert secret not in text
        assert identity.digest(secret).hex() not in text
    assert verify(office.store).ok


def test_random_ids_of_keys_and_people_never_look_like_card_numbers() -> None:
    made = [identity.new_id("key", random.Random(i).randbytes) for i in range(2000)]
    assert len(set(made)) == 2000
    assert not any(sum(c.isdigit() for c in m) >= 13 for m in made)


def test_tables_hold_what_lists_show(office: Office) -> None:
    with office.store.read() as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(people)).scalar_one() == 2
        assert conn.execute(sa.select(sa.func.count()).select_from(api_keys)).scalar_one() == 2
        assert [k.name for k in list_keys(conn, office.ben.person_id)] == ["Ben"]
    assert isinstance(office.keys[0], NewKey)
