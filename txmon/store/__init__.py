"""Journal and work on alerts, in SQLite (a folder) or PostgreSQL (a URL). The truth; the rest is derived.

    store = Store.open(place, clock=, random_bytes=, heads=None, erasures=None, read_only=False)
    store.marks                      Marks(seq, head, events, hit, outbox, quarantine): what is stored
    store.reopen(); store.close()    after StoreUnavailable, CommitUnknown or StoreFatal: `reopen`, then marks
    with store.read() as conn:       a SQLAlchemy connection that sees one moment; any thread
    with store.write() as tx:        one transaction; the only way to change anything
        entry = journal.append(tx, kind, table_or_bytes, received_at_us)  -> Entry(seq, first_event_seq, ...)
        ids = workflow.add_hits(tx, hits, entry.seq)                      -> range, one number a row
        workflow.apply_alerts(tx, changes, alerts_now, ids, entry.seq, now_us=, historic=False)
        workflow.set_alert_state(tx, alert_id, state, reason=, version=, journal_seq=) -> new version
        quarantine.add(tx, table, entry.seq, received_us) -> range
        quarantine.settle(tx, number, state, resubmitted_as=None, tries=None)
        offsets.put(tx, consumer, {partition: position}, entry.seq); offsets.reset(tx, consumer)
        outbox.add(tx, [Message(topic, kind, body)], entry.seq, now_us) -> range
        outbox.mark(tx, ids, state); outbox.forget(tx, before_us)
        answers.put(tx, [(owner, key_hash, Answer(request_hash, status, headers, body, created_us)), …])
        answers.expire(tx, before_us)
        aliases.add(tx, {new token: kept token}, now_us); aliases.drop(tx, ids)
    aliases.load(conn, into); aliases.counts(conn); aliasuse.prune(store, keep_us)
    journal.warm()                   compiles the hashing kernels before the first batch needs them
    journal.head(store) -> (seq, head)
    journal.read(store, from_seq=1, to_seq=None, kinds=None) -> Iterator[Entry]; Entry.table | Entry.document
    offsets.get(conn, consumer) -> {partition: position}
    outbox.pending(conn, topic, after=0, limit=100) -> [Stored]; outbox.backlog(conn) -> int
    answers.get(conn, owner, key_hash) -> Answer | None

    access.Access(store): people, keys, grants; authenticate(token, now_us) -> Principal; see its module
    foureyes.Proposals: what one person proposes another approves; audit.AuditLog: who read what, why

    verify.verify(store, heads=None, progress=None) -> Report(ok, first_bad_row, findings, ...)
    proof.prove(store, ingest_seq, upto=None) -> Proof; Proof.verify(head); proof.read_proof(text)
    erase.erase_subjects(store, values, Why(reason, author, approver)) -> Outcome
    erase.erase_events(store, [(source, event_id)], why, columns=()) -> Outcome
    erase.retain(store, before_us, why, keep=()) -> Outcome
    backup.backup(store, folder) -> Manifest; backup.restore(folder, place, clock=, random_bytes=, erasures=)
    store.heads.failure              why the log of heads is behind, or None

Journal rows count from 1; events count from 0, as the engine's `ingest_seq`. Times are microseconds UTC.
"""

from __future__ import annotations

from txmon.store import casetables as _casetables  # noqa: F401 - its tables belong to the metadata
from txmon.store import preservetables as _preservetables  # noqa: F401
from txmon.store.db import Marks, Store, Tx
from txmon.store.journal import Entry

__all__ = ["Entry", "Marks", "Store", "Tx"]
