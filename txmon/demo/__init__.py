"""The demo: a synthetic portfolio, scored, and one story told from its alert. Decides nothing itself."""
