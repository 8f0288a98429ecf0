"""Lawful populations that resemble a pattern in parts, one teller for one member of each.

They differ from planted scenarios by lawful evidence that the data show: a declared business, licence or
charity, a stable payee and a pay-day rhythm, joint holders, linked refunds, numbers below the lines. The
populations are those that the domain notes name as false positives, and the groups that its section 6
demands as regression fixtures. Importing this package fills `txmon.simulate.catalogue.POPULATIONS`.
"""

from txmon.simulate.lookalikes import agencies, communities, earners, homes, sellers

__all__ = ["agencies", "communities", "earners", "homes", "sellers"]
