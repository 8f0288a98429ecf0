"""Rows of a batch that are set aside: refused while decoding, or by the engine. Never stores anything."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from txmon.pipeline.batch import Batch
from txmon.pipeline.decide import RefusedRows
from txmon.pipeline.refusals import REFUSALS
from txmon.pipeline.scoring import Applied
from txmon.pipeline.work import Intake


def refused_rows(batch: Batch, applied: Applied, intake: Intake) -> RefusedRows:
    """Rows refused while decoding, then those that the engine refused."""
    tables = [batch.refused]
    work, line = [batch.refused_place.work], [batch.refused_place.line]
    for code, refusal in REFUSALS.items():
        rows = np.flatnonzero(applied.verdict == code)
        for number in np.unique(batch.event_place.work[rows]).tolist():
            mine = rows[batch.event_place.work[rows] == number]
            place = batch.event_place.take(mine)
            events = batch.events.take(pa.array(mine))
            tables.append(intake.refuse(events, refusal, batch.works[number].sender, place.position))
            work.append(place.work)
            line.append(place.line)
    return RefusedRows(pa.concat_tables(tables), np.concatenate(work), np.concatenate(line))
