"""The measured workload: the engine beside DuckDB window SQL and polars, every hit compared.

Owns data, rules, jobs and figures of `txmon bench`. Never tunes the engine: it runs what `txmon score` runs.
"""
