"""The two nested canonical columns: `attributes` (a map of text) and `holders` (a list of records).

Typed columns pass as they are; JSON objects and JSON text are read row by row, since only profile events
and few sources have them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.model import pictures
from txmon.model.pan import Tokeniser
from txmon.model.schema import HOLDER, TIME
from txmon.model.times import to_utc_us
from txmon.streams.faults import Faults, Reason
from txmon.streams.jsontext import plain_text
from txmon.streams.values import held, says

ATTRIBUTES = pa.map_(pa.string(), pa.string())
HOLDERS = pa.list_(HOLDER)
ROLES = ("owner", "joint", "authorised", "attorney")
_MAX_PAIRS = 256


def to_attributes(values: pa.Array, faults: Faults, tokeniser: Tokeniser) -> pa.Array:
    """Return `attributes` as map<string, string> without card numbers, in keys and values."""
    if values.type != ATTRIBUTES:
        values = _per_row(values, "attributes", faults, ATTRIBUTES, _pairs)
    if values.null_count == len(values):
        return values
    _pictures(values, (values.keys, values.items), "attributes", faults)
    if tokeniser.column(values.keys) is values.keys and tokeniser.column(values.items) is values.items:
        return values
    rows = [
        None if row is None else [(tokeniser.text(k), v and tokeniser.text(v)) for k, v in row]
        for row in values.to_pylist()
    ]
    return pa.array(rows, ATTRIBUTES)


def attributes_of_struct(values: pa.StructArray) -> pa.Array:
    """Return objects of texts as `attributes`, names sorted; an object without values is an empty map."""
    names = sorted(f.name for f in values.type)
    columns = {n: values.field(n) for n in names}
    return attribute_columns(columns, len(values), values.is_null().to_numpy(zero_copy_only=False))


def attribute_columns(
    columns: Mapping[str, pa.Array], rows: int, absent: np.ndarray | None = None
) -> pa.Array:
    """Return a map column of text columns, without null values.

    `absent` says which rows are null; without it those where no value is left.
    """
    names = list(columns)
    texts = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in columns.values()]
    present = np.column_stack([c.is_valid().to_numpy(zero_copy_only=False) for c in texts])
    counts = present.sum(axis=1)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    row, column = np.nonzero(present)
    keys = pa.array(names).take(pa.array(column))
    items = pa.concat_arrays(texts).take(pa.array(column * rows + row))
    none = np.append(counts == 0 if absent is None else absent, False)  # a null start makes the row null
    return pa.MapArray.from_arrays(pa.array(offsets, mask=none), keys, items)


def to_holders(values: pa.Array, faults: Faults, tokeniser: Tokeniser) -> pa.Array:
    """Return `holders` as a list of (party, role, valid_from, valid_to); party is an id field."""
    if values.type != HOLDERS:
        values = _per_row(values, "holders", faults, HOLDERS, _holder_list)
    if values.null_count == len(values):
        return values
    party = values.flatten().field("party")
    _pictures(values, (party,), "holders", faults)
    if tokeniser.column(party, id_field=True) is party:
        return values

    def hidden(holder: dict[str, object]) -> dict[str, object]:
        return holder | {"party": tokeniser.text(str(holder["party"]), id_field=True)}

    rows = [None if row is None else [hidden(h) for h in row] for row in values.to_pylist()]
    return pa.array(rows, HOLDERS)


def _pictures(values: pa.Array, texts: Sequence[pa.Array], field: str, faults: Faults) -> None:
    """Refuse rows with bytes of pictures in a text; looked at only where a text is long enough for one."""
    longest = max(pc.max(pc.binary_length(text)).as_py() or 0 for text in texts)
    if longest >= pictures.SHORTEST:
        rows = [found_in_any(row) for row in values.to_pylist()]
        faults.add(np.array(rows, bool), field, Reason.PICTURE, held)


def found_in_any(value: object) -> bool:
    """Whether a text somewhere in a value holds bytes of a picture."""
    if isinstance(value, str):
        return pictures.found_in(value.encode("utf-8", "surrogatepass")) is not None
    if isinstance(value, Mapping):
        return any(found_in_any(each) for each in (*value, *value.values()))
    return isinstance(value, list | tuple) and any(found_in_any(each) for each in value)


def _per_row(
    values: pa.Array, field: str, faults: Faults, kind: pa.DataType, read: Callable[[object], object]
) -> pa.Array:
    out: list[object] = []
    bad: dict[int, str] = {}
    for i, value in enumerate(values.to_pylist()):
        try:
            out.append(None if value in (None, "") else read(value))
        except (TypeError, ValueError) as error:
            out.append(None)
            bad[i] = str(error)
    mask = np.zeros(len(out), bool)
    mask[list(bad)] = True
    faults.add(mask, field, Reason.BAD_TYPE, lambda row: (says(values, "")(row)[0], bad[row]))
    return pa.array(out, kind)


def _pairs(value: object) -> list[tuple[str, str]]:
    if isinstance(value, str):
        value = json.loads(value, parse_float=str, parse_int=str)
    if isinstance(value, list) and all(isinstance(v, tuple) and len(v) == 2 for v in value):
        value = dict(value)
    if not isinstance(value, Mapping):
        raise ValueError("attributes must be an object of names and values")
    # in order of their names, as columns of texts come, too: the same object is the same map
    pairs = sorted((str(k), plain_text(v)) for k, v in value.items() if v is not None)
    if len(pairs) > _MAX_PAIRS:
        raise ValueError(f"attributes have {len(pairs)} entries, at most {_MAX_PAIRS} are kept")
    return pairs


def _holder_list(value: object) -> list[dict[str, object]]:
    if isinstance(value, str):
        value = json.loads(value, parse_float=str, parse_int=str)
    if not isinstance(value, list):
        raise ValueError("holders must be a list of records with party and role")
    return [_holder(v) for v in value]


def _holder(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not value.get("party"):
        raise ValueError("a holder needs a party; give its id")
    role = value.get("role") or "owner"
    if role not in ROLES:
        raise ValueError(f"holder role is not one of {', '.join(ROLES)}")
    return {
        "party": str(value["party"]),
        "role": str(role),
        "valid_from": _time(value.get("valid_from", value.get("from"))),
        "valid_to": _time(value.get("valid_to", value.get("to"))),
    }


def _time(value: object) -> object:
    if value is None or isinstance(value, dt.datetime):
        return value
    us, fault = to_utc_us(pa.array([str(value)]))
    if fault[0]:
        raise ValueError("a holder's from and to are RFC 3339 times with an offset")
    return pa.scalar(int(us[0]), pa.int64()).cast(TIME).as_py()
