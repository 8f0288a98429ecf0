"""Stock DuckDB: a process that has DuckDB and nothing else, and runs the verify.sql of a folder."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

# -S leaves site-packages out and -I this repository; DuckDB is let in by a folder that holds it alone
_PROGRAM = """
import importlib.util, json, os, sys
sys.path.insert(0, sys.argv[1])
assert importlib.util.find_spec("txmon") is None, "the product can be imported here"
import duckdb
for line in sys.stdin:
    os.chdir(json.loads(line))
    try:
        rows = duckdb.connect().execute(open("verify.sql", encoding="utf-8").read()).fetchall()
        answer = [rows[0][0], "\\n".join(map(str, rows))]
    except (duckdb.Error, UnicodeDecodeError) as error:
        answer = ["ERROR", str(error)]
    print(json.dumps(answer), flush=True)
"""


class StockDuckDb:
    """The process, from its start to its end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="duckdb-alone-")
        for path in _parts():
            (Path(self._folder.name) / path.name).symlink_to(path)
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, self._folder.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> StockDuckDb:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def run(self, folder: Path) -> tuple[str, str]:
        """What verify.sql says in a folder: `PASS`, `FAIL` or `ERROR`, and all of it."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None
        asks.write(json.dumps(str(folder.absolute())) + "\n")
        asks.flush()
        verdict, said = json.loads(answers.readline())
        return verdict, said


def _parts() -> list[Path]:
    """What DuckDB's package consists of: its code, its library, its version."""
    spec = importlib.util.find_spec("duckdb")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    return [site / "duckdb", *site.glob("_duckdb*.so"), *site.glob("duckdb-*.dist-info")]
