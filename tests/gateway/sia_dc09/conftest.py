"""Examples take as long as they take: a busy machine makes no property false."""

from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
