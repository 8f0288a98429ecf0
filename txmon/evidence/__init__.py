"""Evidence bundles: what an alert rests on, as a file that proves itself to someone who has no txmon.

    export(store, alert_id, out, ...) -> Made     one ZIP; see `docs/evidence.md` for what is in it
    check(path, ...) -> Checked                   every file, the signature, the chain, every hit again

Owns the form of a bundle. Reads a store and never writes to it; knows nothing of cases or reports.
"""
