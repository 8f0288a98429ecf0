"""The vault's file: nothing readable in it, every change of a byte or row found, keys, backups."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from vaultkit import Clock, Desk

from txmon.errors import ConfigError, InputError, StateError, StoreCorrupt
from txmon.vault import Vault, backup, keyfiles
from txmon.vault.release import generic

# of the invented report, its people, its comments, the reasons and the events it rests on
TOLD = (
    "Layla", "Mona", "784198512345600", "AC001", "Three transfers", "Ana Lyst", "psn_ana", "cas_1", "a word to nobody",
    "cards", "no suspicion", "bundle of proof", "FIU-9",
)  # fmt: skip
RANDOM = random.Random(8).randbytes


def lived_in(desk: Desk) -> str:
    """A vault in which all kinds of things were done; returns a report's id."""
    head = desk.released()
    desk.office.comment(desk.ana, head.report_id, "a word to nobody")
    desk.releases.acknowledge(desk.ana, desk.doing(head, "acknowledge"), generic("goaml", True, "FIU-9", []))
    other = desk.draft("cas_2")
    desk.office.propose_no_file(desk.ana, other.report_id, other.version, "no suspicion")
    return head.report_id


def test_nothing_of_a_report_can_be_read_in_any_file(desk: Desk, tmp_path: Path) -> None:
    lived_in(desk)
    backup.backup(desk.vault, tmp_path / "backup")
    desk.vault.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in TOLD if word.encode() in content], path
            assert path.stat().st_mode & 0o077 == 0 or path.name.endswith(("-wal", "-shm")), path


def test_what_is_written_is_read_again_after_reopening(desk: Desk) -> None:
    report_id = lived_in(desk)
    before = desk.office.show(desk.ana, report_id)
    vault = desk.reopened()
    assert desk.office.show(desk.ana, report_id) == before
    assert vault.verify().ok


def rows(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(file) as conn:
        found = {
            t: conn.execute(f"select rowid, * from {t} order by 1, 2").fetchall()
            for t in ("log", "records", "meta")
        }
    conn.close()
    return found


def damaged(desk: Desk, sql: str, *values: Any) -> list[str]:
    """What is found in a copy of the vault after somebody changed it by hand."""
    copy = desk.folder / "copy" / "vault.db"
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    with sqlite3.connect(desk.file) as conn:
        conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()
    shutil.copy(desk.file, copy)
    with sqlite3.connect(copy) as conn:
        assert conn.execute(sql, values).rowcount > 0
    conn.close()
    with Vault.open(copy, desk.key, clock=Clock(), random_bytes=RANDOM) as vault:
        return list(vault.verify().findings)


def test_every_changed_row_is_found(desk: Desk) -> None:
    lived_in(desk)
    assert desk.vault.verify().ok
    chance = random.Random(3)
    stored = rows(desk.file)
    for _ in range(40):
        kind = chance.choice(("log", "records"))
        row = chance.choice(stored[kind])
        sealed = bytearray(row[-1])
        sealed[chance.randrange(len(sealed))] ^= 1 << chance.randrange(8)
        key = "seq" if kind == "log" else "rowid"
        assert damaged(desk, f"update {kind} set sealed = ? where {key} = ?", bytes(sealed), row[0])


@pytest.mark.parametrize(
    "sql",
    [
        "delete from log where seq = (select max(seq) from log)", "delete from log where seq = 3",
        "delete from log where seq > 4", "update log set owner = 'rep_other' where owner <> ''",
        "update log set head = zeroblob(32) where seq = 2", "update log set seq = seq + 100 where seq = (select max(seq) from log)",
        "delete from records where kind = 'comment'", "delete from records where kind = 'grant'",
        "delete from records where kind = 'copy'", "update records set version = version + 1 where kind = 'report'",
        "update records set owner = 'rep_x' where kind = 'file'", "delete from meta where name = 'mark'",
        "update records set id = 'rep_b' where kind = 'report' and id = (select min(id) from records where kind = 'report')",
        "insert into records select 'grant', 'vgr_mine', owner, version, sealed from records where kind = 'grant' limit 1",
        "update records set sealed = (select sealed from records r where r.kind = 'grant' and r.id <> records.id limit 1) where kind = 'grant'",
    ],
)  # fmt: skip
def test_rows_that_were_taken_out_put_in_moved_or_swapped_are_found(desk: Desk, sql: str) -> None:
    lived_in(desk)
    assert damaged(desk, sql)


def test_a_record_brought_back_from_an_older_time_is_found(desk: Desk) -> None:
    head = desk.draft()
    with sqlite3.connect(desk.file) as conn:
        old = conn.execute("select version, sealed from records where kind = 'report'").fetchone()
    conn.close()
    desk.office.sign(desk.ana, head.report_id, head.version)
    findings = damaged(desk, "update records set version = ?, sealed = ? where kind = 'report'", *old)
    assert findings == [f"record report {head.report_id}: is not in the version that the log left it in"]


def test_a_whole_vault_exchanged_for_an_older_one_is_told_by_a_noted_head(desk: Desk) -> None:
    desk.draft()
    old = desk.folder / "old.db"
    old.write_bytes(desk.vault.file.image())
    desk.draft("cas_2")
    noted = (found := desk.vault.verify()).seq, found.head
    assert desk.vault.verify(noted).ok
    with Vault.open(old, desk.key, clock=Clock(), random_bytes=RANDOM) as vault:
        assert vault.verify().ok
        (finding,) = vault.verify(noted).findings
    assert f"row {noted[0]}" in finding


def test_a_value_does_not_open_in_another_place(desk: Desk) -> None:
    sealer = desk.vault.file.sealer
    sealed = sealer.seal(("records", "report", "a", "1"), b"x")
    assert sealer.open(("records", "report", "a", "1"), sealed) == b"x"
    for place in (
        ("records", "report", "b", "1"),
        ("records", "report", "a", "2"),
        ("records", "reporta", "", "1"),
    ):
        with pytest.raises(StoreCorrupt):
            sealer.open(place, sealed)
    with pytest.raises(StoreCorrupt):
        sealer.open(("records", "report", "a", "1"), b"")


# -- keys ----------------------------------------------------------------------------------------------------


def test_key_files_that_are_none_are_refused_without_their_text(desk: Desk) -> None:
    desk.vault.close()
    good = desk.key.read_text()
    for text, mode, told in (
        (good, 0o644, "chmod 600"),
        ("ab" * 31, 0o600, "no key"),
        ("secret!", 0o600, "no key"),
    ):
        desk.key.write_text(text)
        desk.key.chmod(mode)
        with pytest.raises(ConfigError, match=told) as error:
            desk.reopened()
        assert text not in str(error.value)
    desk.key.write_text("ab" * 32)
    with pytest.raises(ConfigError, match="another key"):
        desk.reopened()
    desk.key.unlink()
    with pytest.raises(ConfigError, match="TXMON_VAULT_KEY_FILE"):
        desk.reopened()


def test_the_key_is_rotated_and_the_old_one_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    report_id = lived_in(desk)
    old = tmp_path / "old.key"
    keyfiles.write_key(old, keyfiles.read_key(desk.key))
    before = {row[2]: row[-1] for row in rows(desk.file)["records"]}
    desk.vault.rotate(desk.key)
    assert keyfiles.read_key(desk.key) != keyfiles.read_key(old)
    assert desk.key.stat().st_mode & 0o777 == 0o600
    desk.reopened()
    assert desk.office.show(desk.ana, report_id).head.report_id == report_id
    assert desk.vault.verify().ok
    assert {row[2]: row[-1] for row in rows(desk.file)["records"]}.items() >= before.items()
    with pytest.raises(ConfigError, match="another key"):
        Vault.open(desk.file, old, clock=Clock(), random_bytes=RANDOM)


@pytest.mark.parametrize("step", ["write_key", "replace", "sync_folder"])
def test_a_rotation_that_breaks_off_leaves_a_key_file_that_opens(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else keyfiles, step, killed)
        with pytest.raises(Killed):
            desk.vault.rotate(desk.key)
    assert desk.reopened().verify().ok
    desk.vault.rotate(desk.key)
    assert desk.reopened().verify().ok
    with sqlite3.connect(desk.file) as conn:
        assert conn.execute("select count(*) from meta where name like 'wrapped:%'").fetchone() == (1,)
    conn.close()


def test_a_vault_is_made_once_and_by_two_people(desk: Desk, tmp_path: Path) -> None:
    people = ("psn_a", "psn_b")
    with pytest.raises(ConfigError, match="made once"):
        Vault.make(desk.file, tmp_path / "k", tmp_path / "b", people, clock=Clock(), random_bytes=RANDOM)
    with pytest.raises(ConfigError, match="made once"):
        Vault.make(
            tmp_path / "n" / "v.db", desk.key, tmp_path / "b", people, clock=Clock(), random_bytes=RANDOM
        )
    with pytest.raises(InputError, match="different"):
        Vault.make(tmp_path / "n" / "v.db", tmp_path / "k", tmp_path / "b", ("psn_a", "psn_a"), clock=Clock(), random_bytes=RANDOM)  # fmt: skip
    assert not (tmp_path / "n").exists()
    assert not (tmp_path / "k").exists()


def test_a_vault_of_a_newer_version_is_not_opened(desk: Desk) -> None:
    desk.vault.close()
    with sqlite3.connect(desk.file) as conn:
        conn.execute("update meta set value = x'32' where name = 'revision'")
    conn.close()
    with pytest.raises(StateError, match="revision 2"):
        desk.reopened()


# -- backups -------------------------------------------------------------------------------------------------


def test_a_backup_is_restored_by_its_own_key_alone(desk: Desk, tmp_path: Path) -> None:
    report_id = lived_in(desk)
    made = backup.backup(desk.vault, tmp_path / "backup")
    desk.draft("cas_late")
    target, key = tmp_path / "again" / "vault.db", tmp_path / "again.key"
    doors: dict[str, Any] = {"clock": Clock(), "random_bytes": RANDOM}
    with pytest.raises(InputError, match="does not open"):
        backup.restore(tmp_path / "backup", desk.key, target, key, **doors)
    found = backup.restore(tmp_path / "backup", desk.backup_key, target, key, **doors)
    assert found == made
    before = desk.office.show(desk.ana, report_id)
    desk.vault.close()
    desk.file, desk.key = target, key
    desk.reopened()
    assert desk.office.show(desk.ana, report_id) == before
    assert desk.vault.verify((made.seq, made.head)).ok
    with pytest.raises(ConfigError, match="not replaced"):
        backup.restore(tmp_path / "backup", desk.backup_key, target, key, **doors)
    with pytest.raises(ConfigError, match="not replaced"):
        backup.backup(desk.vault, tmp_path / "backup")


def test_a_backup_that_was_cut_or_changed_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    lived_in(desk)
    backup.backup(desk.vault, tmp_path / "backup")
    whole = (tmp_path / "backup").read_bytes()
    chance = random.Random(6)
    bad = [b"", whole[:20], whole[:-1], whole + b"x", b"x" + whole]
    for _ in range(20):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        bad.append(bytes(changed))
    for content in bad:
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(InputError):
            backup.restore(tmp_path / "bad", desk.backup_key, tmp_path / "r" / "v.db", tmp_path / "r.key", clock=Clock(), random_bytes=RANDOM)  # fmt: skip
    assert not list((tmp_path / "r").glob("*"))
    assert not (tmp_path / "r.key").exists()
