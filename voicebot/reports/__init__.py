"""Figures of what was done, for people (tables) and for other programs (CSV)."""
