"""Rules: load, check, type, plan, and render as Arrow functions and as SQL. Never runs the engine."""

from txmon.rules.pack import load_pack

__all__ = ["load_pack"]
