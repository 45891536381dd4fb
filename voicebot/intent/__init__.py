"""The trained understanding: its data, its network, its training, and the understander that a call uses."""
