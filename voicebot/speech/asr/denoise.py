"""What would the speech look like without the noise of its line?

The log-spectral amplitude estimator of Ephraim and Malah (IEEE Trans. ASSP 33(2), 1985): a gain per frame and
frequency from the noise's mean power and from what was speech in the frame before. It leaves a faint, even rest
instead of the musical one of plain subtraction, which a network trained on clean speech would take for speech.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Power = npt.NDArray[np.float64]

MIN_GAIN = 0.1  # of the amplitude: the rest of the noise stays, 20 dB down
MEMORY = 0.98  # how much of the estimate comes from the frame before
_MAX_SNR = 1000.0


def without_noise(power: Power, noise: Power) -> Power:
    """`power` [T, F] of noisy speech, `noise` [F] the mean power of the noise alone -> the speech's power [T, F]."""
    cleaned = np.empty_like(power)
    before = np.zeros(power.shape[1])
    for t, frame in enumerate(power):
        posterior = np.minimum(frame / noise, _MAX_SNR)
        prior = np.maximum(MEMORY * before + (1 - MEMORY) * np.maximum(posterior - 1, 0), MIN_GAIN**2)
        wiener = prior / (1 + prior)
        gain = np.clip(wiener * np.exp(0.5 * _exponential_integral(wiener * posterior)), MIN_GAIN, 1)
        cleaned[t] = frame * gain**2
        before = cleaned[t] / noise
    return cleaned


def _exponential_integral(v: Power) -> Power:
    """E1 for v > 0, to a few per cent (Abramowitz and Stegun 5.1.11 and 5.1.56)."""
    v = np.maximum(v, 1e-8)
    small = -np.log(v) - 0.5772 + v - v**2 / 4 + v**3 / 18
    big = np.minimum(np.maximum(v, 1.0), 50.0)
    large = np.exp(-big) / big * (big**2 + 2.334733 * big + 0.250621) / (big**2 + 3.330657 * big + 1.681534)
    return np.where(v < 1, small, large)
