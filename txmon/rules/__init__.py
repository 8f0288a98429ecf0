"""Rules: load, check, type, plan, compile to Arrow and render as SQL. Never imports the engine."""
