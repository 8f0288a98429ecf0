"""Rules: load, check, type, plan, and render as functions over vectors and as SQL. Never runs the engine."""

from txmon.rules.pack import load_pack

__all__ = ["load_pack"]
