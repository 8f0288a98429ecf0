"""`python -m txmon`: the command line."""

from __future__ import annotations

from txmon.cli import entry

if __name__ == "__main__":
    entry()
