"""Weights: where they come from, whether they are whole (manifest, fetch, store)."""

from voicebot.weights.errors import FetchFailed, UnknownModel, WeightsCorrupt, WeightsError, WeightsMissing
from voicebot.weights.manifest import Manifest, Model, load_manifest
from voicebot.weights.store import Finding, Weights

__all__ = [
    "FetchFailed",
    "Finding",
    "Manifest",
    "Model",
    "UnknownModel",
    "Weights",
    "WeightsCorrupt",
    "WeightsError",
    "WeightsMissing",
    "load_manifest",
]
