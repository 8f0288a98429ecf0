"""A portfolio on disk: the events (native names, no labels) and, apart, the labels.

Owns file names and Parquet settings; never changes an event.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from txmon.errors import ConfigError
from txmon.simulate.portfolio import Portfolio
from txmon.simulate.rows import NATIVE, TEXT

Progress = Callable[[int], None]


def labels_path(out: Path) -> Path:
    """``F.parquet`` has its labels in ``F.labels.parquet``."""
    return out.with_name(f"{out.name.removesuffix('.parquet')}.labels.parquet")


def write(
    portfolio: Portfolio, out: Path, labels: Path | None = None, progress: Progress | None = None
) -> Path:
    """Stream the events to `out`, write the labels beside it (or to `labels`), return the labels' path.

    `progress` is called with the number of events of each batch written.

    Raises:
        ConfigError: a file cannot be written.
    """
    labels = labels or labels_path(out)
    try:
        for path in (out, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(
            out, NATIVE, compression="zstd", compression_level=1, use_dictionary=list(TEXT)
        ) as file:
            for batch in portfolio.batches():
                file.write_batch(batch)
                if progress is not None:
                    progress(batch.num_rows)
        pq.write_table(portfolio.labels(), labels, compression="zstd")
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    return labels
