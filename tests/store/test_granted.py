"""People and keys against the decisions that made them: whatever is done properly is sound, a row changed by hand is not."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa
from accesskit import Office, open_office
from storekit import fill

from txmon.errors import InputError, StoreConflict, TxmonError
from txmon.store import Store, foureyes, journal
from txmon.store.access import DAY_US, KeySpec, list_keys, list_people
from txmon.store.erase import Why, erase_subjects
from txmon.store.granted import check_granted
from txmon.store.identity import digest, new_token
from txmon.store.schema import api_keys, links, people, proposals
from txmon.store.verify import verify

READ = frozenset({"read"})
ISSUER = "https://login.example.com"


@pytest.fixture
def office(store: Store) -> Office:
    return open_office(store)


def crew(office: Office) -> dict[str, str]:
    """Rows of every state; returns ids by a word for each."""
    access, store = office.access, office.store
    cem, key = office.hire(
        "Cem", {"analyst"}, person_entities=["a", "b"], entities=frozenset({"a"}), mode="test"
    )
    office.hire("Dora", {"auditor"})
    service = office.service(expires_us=office.now() + 90 * DAY_US)
    with store.write() as tx:
        waiting, grant = access.create_person(tx, office.ana, "Eve", {"admin"})
        pending = access.create_key(tx, office.ana, KeySpec("late", READ, None, frozenset({"ingest"})))
        rotated = access.rotate_key(tx, office.ben, service.key_id)
        dead = access.create_key(tx, office.ana, KeySpec("dead", READ, None, frozenset({"ingest"})))
        access.decide_grant(tx, dead.grant_id or "", office.ben, False, "no")
        gone, _ = access.create_person(tx, office.ana, "Fay", {"analyst"})
        access.disable_person(tx, office.ben, gone)
        access.revoke_key(tx, office.ana, rotated.key_id)
        link, linked = access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "cem-1")
        access.decide_grant(tx, linked, office.ben)
        unlinked, refused = access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "cem-2")
        access.decide_grant(tx, refused, office.ben, False, "no")
        access.propose_link(tx, office.ana, cem.person_id or "", ISSUER, "cem-3")
    return {
        "link": link, "unlinked": unlinked,
        "cem": cem.person_id or "", "key": key.key_id, "eve": waiting, "pending": pending.key_id, "old": service.key_id,
        "revoked": rotated.key_id, "dead": dead.key_id, "fay": gone, "grant": grant,
    }  # fmt: skip


def test_what_was_done_properly_is_sound(office: Office) -> None:
    fill(office.store)
    crew(office)
    assert list(check_granted(office.store)) == []
    assert verify(office.store).ok


ATTACKS: list[tuple[str, Any, str, dict[str, Any], str]] = [
    ("a role more", people, "cem", {"roles": '["admin", "analyst"]'}, "roles"),
    ("every entity", people, "cem", {"entities": None}, "entities"),
    ("back again", people, "fay", {"state": "active"}, "state"),
    ("approved by nobody", people, "eve", {"state": "active", "roles": '["admin"]'}, "roles, state"),
    ("a wider scope", api_keys, "key", {"scopes": '["admin", "read"]'}, "scopes"),
    ("the other mode", api_keys, "key", {"mode": None}, "mode"),
    ("more entities", api_keys, "key", {"entities": '["a", "b"]'}, "entities"),
    ("no end", api_keys, "old", {"expires_us": None}, "expires_us"),
    ("risen", api_keys, "revoked", {"state": "active"}, "state"),
    ("risen after a refusal", api_keys, "dead", {"state": "active"}, "state"),
    ("granted by nobody", api_keys, "pending", {"state": "active"}, "state"),
    ("another's", api_keys, "key", {"person_id": "BEN"}, "person"),
    ("a key of one's own under it", api_keys, "key", {"sha256": digest(new_token(None, random.Random(5).randbytes))}, "print"),
    ("another's account", links, "link", {"person_id": "BEN"}, "person"),
    ("another account", links, "link", {"subject": "ana-2"}, "print"),
    ("linked after a refusal", links, "unlinked", {"state": "active"}, "state"),
    ("rotated by nobody", api_keys, "key", {"replaced_by": "key_x"}, "replaced_by"),
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=[a[0] for a in ATTACKS])
def test_a_row_changed_by_hand_is_named(
    office: Office, attack: tuple[str, Any, str, dict[str, Any], str]
) -> None:
    _, table, which, values, wrong = attack
    ids = crew(office)
    values = {k: office.ben.person_id if v == "BEN" else v for k, v in values.items()}
    with office.store.write() as tx:
        tx.conn.execute(sa.update(table).where(table.c.id == ids[which]).values(values))
    (finding,) = verify(office.store).findings
    assert ids[which] in finding.what
    assert finding.what.endswith(f": {wrong}")


def test_rows_that_came_or_went_by_hand_are_named(office: Office) -> None:
    ids = crew(office)
    with office.store.write() as tx:
        tx.conn.execute(sa.delete(api_keys).where(api_keys.c.id == ids["revoked"]))
        tx.conn.execute(sa.delete(people).where(people.c.id == ids["eve"]))
        row = {
            "id": "key_mine",
            "prefix": "aaaaaaaa",
            "sha256": bytes(32),
            "person_id": office.ana.person_id,
            "name": "x",
            "scopes": '["admin"]',
        }
        tx.conn.execute(sa.insert(api_keys), row | {"state": "active", "created_us": 1, "created_by": "me"})
        person = {
            "id": "psn_mine",
            "name": "me",
            "roles": '["admin"]',
            "state": "active",
            "created_us": 1,
            "created_by": "me",
        }
        tx.conn.execute(sa.insert(people), person)
    found = [what for _, what in check_granted(office.store)]
    assert sorted(found) == sorted(
        [
            "person psn_mine was made by no decision",
            "key key_mine was made by no decision",
            f"person {ids['eve']} was made by a decision and is not there",
            f"key {ids['revoked']} was made by a decision and is not there",
        ]
    )


def test_a_decision_that_follows_from_nothing_is_named(office: Office) -> None:
    with office.store.write() as tx:
        journal.append(tx, "decision", b'{"decision":"key.revoked","revoked":"key_x"}', 1)
        journal.append(tx, "decision", b'{"decision":"grant.applied","proposal":"prp_x"}', 1)
        for other in (b'{"decision":"alert.moved"}', b"[]", b'"x"', b"no json", b'{"decision":["x"]}'):
            journal.append(tx, "decision", other, 1)
    seq = office.store.marks.seq
    assert [s for s, _ in check_granted(office.store)] == [seq - 6, seq - 5]


def test_a_grant_is_approved_as_it_was_shown_or_not_at_all(office: Office) -> None:
    ids = crew(office)
    with office.store.write() as tx:
        with pytest.raises(InputError, match="not edited"):
            office.access.proposals.edit(
                tx, ids["grant"], {"grant": "roles", "person": ids["cem"], "roles": ["admin"]}, office.ben, 0
            )
        tx.conn.execute(
            sa.update(api_keys).where(api_keys.c.id == ids["pending"]).values(scopes='["explain", "read"]')
        )
        (number,) = [p.id for p in foureyes.listed(tx.conn) if p.body.get("made") == ids["pending"]]
    with pytest.raises(StoreConflict, match="not what the grant says"), office.store.write() as tx:
        office.access.decide_grant(tx, number, office.ben)


def test_erasures_in_decisions_are_no_findings(office: Office) -> None:
    fill(office.store)
    crew(office)
    with office.store.write() as tx:
        office.access.proposals.propose(tx, "quarantine_fix", {"raw": "for person-3"}, office.ana)
    erase_subjects(office.store, ["person-3", "Cem"], Why("request", "psn_a", "psn_b"))
    assert verify(office.store).ok
    with office.store.read() as conn:
        assert "person-3" not in str(conn.execute(sa.select(proposals.c.body)).all())


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_what_people_do_is_sound(office: Office, seed: int) -> None:
    draw = random.Random(seed)
    access, store = office.access, office.store
    tokens = [k.token for k in office.keys]

    def someone() -> Any:
        return office.who(draw.choice(tokens))

    def step(tx: Any) -> None:
        persons, keys = [p.id for p in list_people(tx.conn)], [k.id for k in list_keys(tx.conn)]
        who, what = someone(), draw.randrange(8)
        if what == 0:
            access.create_person(
                tx, who, f"p{draw.random()}", draw.sample(["admin", "analyst", "approver"], 2)
            )
        elif what == 1:
            access.propose_grant(
                tx,
                who,
                draw.choice(persons),
                draw.sample(["admin", "analyst", "approver"], 2),
                draw.choice([None, ["a"]]),
            )
        elif what == 2:
            tokens.append(
                access.create_key(
                    tx,
                    who,
                    KeySpec("k", draw.choice([READ, frozenset({"read", "admin"})]), draw.choice(persons)),
                ).token
            )
        elif what == 3:
            access.create_key(
                tx,
                who,
                KeySpec(
                    "s",
                    READ,
                    None,
                    frozenset({"ingest"}),
                    expires_us=draw.choice([None, office.now() + DAY_US]),
                ),
            )
        elif what == 4:
            tokens.append(access.rotate_key(tx, who, draw.choice(keys), draw.choice([0, DAY_US])).token)
        elif what == 5 and draw.random() < 0.2:
            access.revoke_key(tx, who, draw.choice(keys[2:] or keys))
        elif what == 6 and draw.random() < 0.2:
            access.disable_person(tx, who, draw.choice(persons[2:] or persons))
        else:
            waiting = foureyes.listed(tx.conn)
            if waiting:
                access.decide_grant(tx, draw.choice(waiting).id, who, draw.random() < 0.8, "so")

    done, refusals = 0, set()
    for _ in range(250):
        try:
            with store.write() as tx:
                step(tx)
            done += 1
        except TxmonError as error:
            refusals.add(error.status)
    assert done > 30
    assert refusals <= {400, 401, 403, 404, 409, 412, 422}
    assert list(check_granted(store)) == []
    assert verify(store).ok
