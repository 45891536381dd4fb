"""For all tests: hypothesis has no deadline, because a busy machine is not a fault of the code."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
