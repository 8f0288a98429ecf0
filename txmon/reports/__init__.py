"""Suspicious-activity reports: one neutral model, checks in plain words, writers by authority.

Owns what a report says and how it is written down. Never decides that a report is filed, never sends one,
and never reads a clock: who signs, when the facts were known and what day it is are handed in.
"""
