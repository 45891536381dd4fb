"""What can go wrong with weights; each message names the model, the place and the way out."""

from __future__ import annotations


class WeightsError(Exception):
    """Base of everything below."""


class ManifestError(WeightsError):
    """models/manifest.yaml cannot be used."""


class UnknownModel(WeightsError):
    """A name that the manifest does not have."""


class WeightsMissing(WeightsError):
    """A model is not (or not wholly) in its folder."""


class WeightsCorrupt(WeightsError):
    """A file's hash is not the pinned one."""


class FetchFailed(WeightsError):
    """A package client or the offline folder did not deliver a package."""
