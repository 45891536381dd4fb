"""The product: what joins telephony and dialogue, and everything around a call."""

__version__ = "0.1.0"
