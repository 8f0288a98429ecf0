"""State is plain numbers, is restored to identical scores, and is refused where it does not fit."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detectors import quick, stream

from txmon.anomaly import Model
from txmon.errors import StateError


def through_a_file(arrays: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def make(kind: str) -> Model:
    return quick(("only",), kind, window_size=50) if kind == "gaussian" else quick()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["half-space-trees", "gaussian"])
def test_identical_scores_after_restore_at_100_random_points(kind: str) -> None:
    segment, values = stream(4_000, width=1 if kind == "gaussian" else 3)
    expected = make(kind).score(segment, values)
    cuts = np.sort(np.random.default_rng(9).choice(np.arange(1, 4_000), 100, replace=False))
    model, at = make(kind), 0
    for cut in [*cuts.tolist(), 4_000]:
        piece = model.score(segment[at:cut], values[at:cut])
        assert np.array_equal(piece.value, expected.value[at:cut], equal_nan=True)
        assert np.array_equal(piece.raw, expected.raw[at:cut], equal_nan=True)
        for row in piece.reasons.row[:3].tolist():
            place = int(np.searchsorted(expected.reasons.row, at + row))
            assert np.array_equal(
                expected.reasons.contribution[place],
                piece.reasons.contribution[np.searchsorted(piece.reasons.row, row)],
            )
        saved = through_a_file(model.snapshot())
        model, at = make(kind), cut
        model.restore(saved)


def test_state_is_plain_numbers() -> None:
    model = quick()
    model.score(*stream(500))
    for array in model.snapshot().values():
        assert array.dtype.kind in "iuf"
    meta = json.loads(model.snapshot()["meta"].tobytes())
    assert meta["format"] == 1
    assert meta["river"]
    assert meta["detector"] == "test-detector"


def test_a_snapshot_is_a_copy() -> None:
    model = quick()
    segment, values = stream(600)
    model.score(segment, values)
    saved = model.snapshot()
    kept = {name: array.copy() for name, array in saved.items()}
    model.score(segment, values)
    assert all(np.array_equal(saved[name], kept[name]) for name in kept)


def with_meta(arrays: dict[str, Any], **changes: object) -> dict[str, Any]:
    meta = json.loads(arrays["meta"].tobytes()) | changes
    return arrays | {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}


def refused(arrays: dict[str, Any], match: str, **settings: int) -> None:
    model = quick(**settings)
    before = model.snapshot()
    with pytest.raises(StateError, match=match):
        model.restore(arrays)
    after = model.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def resealed(arrays: dict[str, Any]) -> dict[str, Any]:
    from txmon.anomaly.state import _checksum

    return with_meta(arrays, checksum=_checksum(arrays))


def test_states_that_do_not_fit_are_refused() -> None:
    model = quick()
    model.score(*stream(600))
    good = model.snapshot()
    refused(with_meta(good, format=2), "format 2")
    refused(good, "other settings", seed=8)
    refused({k: v for k, v in good.items() if k != "meta"}, "meta")
    refused(good | {"meta": np.frombuffer(b"no json", np.uint8)}, "meta")
    refused(good | {"meta": np.frombuffer(b"[1]", np.uint8)}, "no object")
    refused(resealed({k: v for k, v in good.items() if k != "tree_mass"}), "arrays of format")
    refused(resealed(good | {"tree_mass": good["tree_mass"].astype(np.int64)}), "tree_mass is int64")
    refused(resealed(good | {"tree_threshold": good["tree_threshold"] + 1e-9}), "other trees")
    refused(resealed(good | {"segment_code": np.full_like(good["segment_code"], 3)}), "repeat")
    refused(resealed(good | {"usual_ring": np.full_like(good["usual_ring"], 200)}), "out of range")


def test_flipped_bits_are_refused() -> None:
    model = quick()
    model.score(*stream(600))
    good = model.snapshot()
    rng = np.random.default_rng(4)
    names = [name for name in good if name != "meta"]
    for _ in range(100):
        name = str(rng.choice(names))
        raw = bytearray(good[name].tobytes())
        raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        bad = np.frombuffer(bytes(raw), good[name].dtype).reshape(good[name].shape)
        with pytest.raises(StateError, match="damaged"):
            quick().restore(good | {name: bad})


def test_state_does_not_grow_with_the_events() -> None:
    model = quick()
    model.score(*stream(2_000))
    before = {name: array.shape for name, array in model.snapshot().items() if name != "meta"}
    model.score(*stream(20_000, seed=2))
    assert before == {name: array.shape for name, array in model.snapshot().items() if name != "meta"}


FIXTURE = Path(__file__).parent / "fixtures" / "state_format_1.npz"


def test_a_state_saved_by_an_earlier_version_still_gives_its_scores() -> None:
    """Made by `python tests/anomaly/test_state.py`; make a new file beside it for a new format."""
    with np.load(FIXTURE, allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    expected = arrays.pop("expected")
    model = quick()
    model.restore(arrays)
    assert np.array_equal(model.score(*stream(200, seed=8)).value, expected, equal_nan=True)


if __name__ == "__main__":
    saved_model = quick()
    saved_model.score(*stream(3_000))
    saved_arrays = saved_model.snapshot()
    FIXTURE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        FIXTURE, allow_pickle=False, expected=saved_model.score(*stream(200, seed=8)).value, **saved_arrays
    )
