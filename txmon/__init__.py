"""txmon: transaction monitoring for payment providers."""

__version__ = "0.1.0"
