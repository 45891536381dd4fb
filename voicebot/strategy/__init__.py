"""Who is contacted when, by which channel, and what follows from what came of it? Strategies as data."""
