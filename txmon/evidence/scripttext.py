"""The fixed parts of verify.sql: files, counts, proofs, head, verdict.

Places marked `$name` are filled by `txmon.evidence.script`. Owns these texts; holds no rule.
"""

from __future__ import annotations

from string import Template

HEADER = r"""-- Derives the hits of this bundle again. Run it in the folder of the unpacked bundle:
--   python -c "import duckdb; print(duckdb.connect().execute(open('verify.sql').read()).fetchall())"
-- or, with DuckDB's command line: duckdb < verify.sql
-- Money is in minor units of the base currency, times in microseconds since 1970, UTC."""

TABLES = """
set timezone = 'UTC';
create or replace temp table findings (part varchar, item varchar, expected varchar, found varchar);
create or replace temp table events as select * from read_parquet('events.parquet');
create or replace temp table hits as select * from read_parquet('hits.parquet');
create or replace temp table proofs as select * from read_parquet('proofs.parquet');
create or replace temp table chain as select * from read_parquet('chain.parquet');
create or replace temp table rates as select * from read_parquet('rates.parquet');
create or replace temp table scores as select * from read_parquet('scores.parquet');"""

FILES = """
-- every file is the one that the manifest names, this one included
create or replace temp table named as select f.key as file, f.value ->> '$' as sha256
  from (select content from read_text('manifest.json')) m, json_each(m.content, '$.files') f;
create or replace temp table there as
  select regexp_replace(filename, '^[.]/', '') as file, sha256(content) as sha256, content
  from read_blob('**') where regexp_replace(filename, '^[.]/', '') in (select file from named);
insert into findings select 'file', n.file, n.sha256, coalesce(t.sha256, 'missing')
  from named n left join there t using (file) where t.sha256 is distinct from n.sha256;
insert into findings select 'file', f, 'named in the manifest', 'not named' from
  (select unnest(['verify.sql', 'events.parquet', 'events.csv', 'hits.parquet', 'proofs.parquet',
    'chain.parquet', 'rates.parquet', 'scores.parquet', 'custody.json', 'signer.pem']) as f)
  where f not in (select file from named);"""

COUNTS = Template("""
insert into findings select 'rows', 'events.parquet', '$events', count(*)::varchar from events
  having count(distinct ingest_seq) <> $events or count(*) <> $events;
insert into findings select 'rows', 'hits.parquet', '$hits', count(*)::varchar from hits
  having count(*) <> $hits;
insert into findings select 'rows', 'proofs.parquet', '$proofs', count(*)::varchar from proofs
  having count(*) <> $proofs or count(distinct coalesce(ingest_seq::varchar, item)) <> $proofs;
insert into findings select 'hit', h.rule_id || ' on event ' || h.ingest_seq, 'event of the bundle',
  'another event or time' from hits h left join events e using (ingest_seq)
  where e.event_id is distinct from h.event_id or e.source is distinct from h.source
    or e.event_time is distinct from h.event_time;""")

PROOFS = Template("""
-- a leaf is SHA-256 of 00, its salt and what it says; its way leads to the root of its journal row
insert into findings select 'proof', 'event ' || e.ingest_seq, 'a proof', 'none' from events e
  anti join proofs p on p.ingest_seq = e.ingest_seq;
insert into findings select 'proof', 'event ' || ingest_seq, 'open or closed', 'half of it' from proofs
  where ingest_seq is not null and (salt is null) <> (content is null);
insert into findings select 'proof', 'event ' || ingest_seq, leaf, told from (
    select *, sha256(unhex('00' || salt || hex(encode(content)))) as told from proofs
    where content is not null
  ) where told is distinct from leaf;
insert into findings select 'proof', item, leaf, told from (
    select p.*, sha256(unhex('00' || salt || hex(t.content))) as told
    from proofs p join there t on t.file = p.item where salt is not null
  ) where told is distinct from leaf;
insert into findings select 'proof', 'event ' || ingest_seq, 'what was journaled', 'other values'
  from events join proofs using (ingest_seq) where content is not null and content is distinct from (
    $canonical);
insert into findings select 'proof', coalesce('event ' || p.ingest_seq, p.item), c.root, p.top from (
    select *, list_reduce(list_prepend(leaf, path), lambda n, s: case when s[1] = 'R'
      then sha256(unhex('01' || n || s[2:])) else sha256(unhex('01' || s[2:] || n)) end) as top from proofs
  ) p left join chain c on c.seq = p.journal_seq where p.top is distinct from c.root;
-- a head is SHA-256 of the head before, number, kind, time and root of a row
insert into findings select 'head', 'row $head_seq', '$head', top from (
    select list_reduce(
        list_prepend('$previous', list(format('{:016x}', seq) || format('{:02x}', strlen(kind))
          || hex(encode(kind)) || format('{:016x}', received_at) || root order by seq)),
        lambda h, s: sha256(unhex(h || s))) as top,
      min(seq) as first, max(seq) as last, count(*) as n from chain
  ) where top is distinct from '$head' or first <> $first_seq or last <> $head_seq
    or n <> last - first + 1;
insert into findings select 'head', 'manifest.json', '$head', m.content ->> '$$.head.head'
  from read_text('manifest.json') m where m.content ->> '$$.head.head' is distinct from '$head';""")

VERDICT = Template("""
-- the verdict, then what differs
select verdict, part, item, expected, found from (
  select 0 as rank, case when count(*) = 0 then 'PASS' else 'FAIL' end as verdict, 'all' as part,
    (select count(section) from hits) || ' hits derived again, '
      || (select count(*) - count(section) from hits) || ' not derived' as item,
    null as expected, count(*) || ' differences' as found from findings
  union all select 2, 'not derived', 'hit', rule_id || ' on event ' || ingest_seq, null, not_derived
    from hits where section is null
  union all select 3, 'difference', part, item, expected, found from findings$notes
) order by rank, part, item;
""")
