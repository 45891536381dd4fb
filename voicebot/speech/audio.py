"""How does telephone audio get in and out: wav files, G.711, sample rates, levels?

Inside the product audio is `pcm16` (8 kHz, mono, signed 16-bit little-endian bytes). Models want float32 arrays in
-1..1, files want containers, lines want A-law or mu-law; the conversions between them are here and nowhere else.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from voicebot.speech.api import FRAME_BYTES, RATE_HZ

Samples = npt.NDArray[np.float32]
Law = Literal["alaw", "ulaw"]

SILENCE_DBFS = -96.0  # the level reported for digital silence: the bottom of 16 bits


class AudioFileError(ValueError):
    """A sound file that cannot be read; the message names the file and what was expected."""


def to_float(pcm16: bytes) -> Samples:
    """pcm16 -> float32 in -1..1. An odd last byte is dropped."""
    return np.frombuffer(pcm16[: len(pcm16) // 2 * 2], "<i2").astype(np.float32) / 32768.0


def to_pcm16(samples: Samples) -> bytes:
    """float32 in -1..1 -> pcm16; what lies outside is clipped."""
    return bytes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the sample rate (soxr, high quality). The length becomes len * to_hz / from_hz, rounded."""
    if from_hz == to_hz or not len(samples):
        return samples.astype(np.float32, copy=False)
    return np.asarray(soxr.resample(samples, from_hz, to_hz), np.float32)


def level_dbfs(pcm16: bytes) -> float:
    """Root mean square level in dB below full scale; digital silence and no audio give SILENCE_DBFS."""
    x = to_float(pcm16)
    power = float(np.mean(np.square(x, dtype=np.float64))) if len(x) else 0.0
    return max(SILENCE_DBFS, 10.0 * float(np.log10(power))) if power > 0 else SILENCE_DBFS


def frames(pcm16: bytes) -> Iterator[bytes]:
    """Cut into 20 ms frames; the last one is filled up with silence."""
    for at in range(0, len(pcm16), FRAME_BYTES):
        yield pcm16[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")


def mix(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise to speech at a signal-to-noise ratio; the noise is repeated or cut to the speech's length."""
    if not len(speech) or not len(noise):
        return speech
    bed = np.resize(noise, len(speech))
    noise_rms = float(np.sqrt(np.mean(bed**2))) or 1.0
    speech_rms = float(np.sqrt(np.mean(speech**2)))
    return np.asarray(speech + bed * (speech_rms / noise_rms * 10 ** (-snr_db / 20)), np.float32)


# ---- G.711 (ITU-T G.711, the tables A-law 1a/1b and mu-law 2a/2b as arithmetic) -----------------------------------


def decode_g711(code: bytes, law: Law) -> bytes:
    """A-law or mu-law bytes -> pcm16."""
    return _decode_table(law)[np.frombuffer(code, np.uint8)].astype("<i2").tobytes()


def encode_g711(pcm16: bytes, law: Law) -> bytes:
    """pcm16 -> A-law or mu-law bytes, one per sample."""
    x = np.frombuffer(pcm16[: len(pcm16) // 2 * 2], "<i2").astype(np.int32)
    return _encode_table(law)[x + 32768].tobytes()


def through_g711(pcm16: bytes, law: Law = "alaw") -> bytes:
    """What the far end of a telephone line hears: pcm16 coded and decoded once."""
    return decode_g711(encode_g711(pcm16, law), law)


@cache
def _decode_table(law: Law) -> npt.NDArray[np.int16]:
    code = np.arange(256)
    if law == "alaw":
        c = code ^ 0x55
        exponent, mantissa = (c >> 4) & 7, c & 15
        magnitude = np.where(
            exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
        )
        return np.where(c & 0x80, magnitude, -magnitude).astype(np.int16)
    c = ~code & 0xFF
    magnitude = ((((c & 15) << 3) + 0x84) << ((c >> 4) & 7)) - 0x84
    return np.where(c & 0x80, -magnitude, magnitude).astype(np.int16)


@cache
def _encode_table(law: Law) -> npt.NDArray[np.uint8]:
    x = np.arange(-32768, 32768)
    if law == "alaw":
        positive = x >= 0
        magnitude = np.where(positive, x, -x - 1) >> 3  # 13-bit magnitude, one's complement for negatives
        exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 4, 0)
        mantissa = (magnitude >> np.maximum(exponent, 1)) & 15
        return np.asarray(((exponent << 4) | mantissa) ^ np.where(positive, 0xD5, 0x55), np.uint8)
    positive = x >= 0
    magnitude = np.minimum(np.where(positive, x, -x), 32635) + 0x84
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    return np.asarray(~((exponent << 4) | mantissa | np.where(positive, 0, 0x80)) & 0xFF, np.uint8)


# ---- wav files ----------------------------------------------------------------------------------------------------

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read a wav file: PCM 8/16/24/32 bit, float, A-law or mu-law, any rate; of several channels, the mean.

    Returns (float32 samples, rate in Hz). Raises AudioFileError for what is not such a file.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise AudioFileError(f"{path}: cannot be read: {e.strerror}") from e
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise AudioFileError(f"{path}: not a wav file (no RIFF/WAVE header); convert it, e.g. with ffmpeg, first")
    chunks = dict(_chunks(data))
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise AudioFileError(f"{path}: damaged wav file: the format or the data chunk is missing")
    kind, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", chunks[b"fmt "][:16])
    if kind == _EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        kind = struct.unpack("<H", chunks[b"fmt "][24:26])[0]
    samples = _samples(chunks[b"data"], kind, bits)
    if samples is None or channels < 1 or rate_hz < 1:
        raise AudioFileError(f"{path}: unsupported wav coding (format {kind}, {bits} bit); use 16-bit PCM or G.711")
    whole = samples[: len(samples) // channels * channels].reshape(-1, channels)
    return np.asarray(whole.mean(axis=1), np.float32), rate_hz


def read_telephone(path: Path) -> bytes:
    """Read a wav file of any rate as pcm16 at 8 kHz. Raises AudioFileError."""
    samples, rate_hz = read_wav(path)
    return to_pcm16(resample(samples, rate_hz, RATE_HZ))


def write_wav(path: Path, pcm16: bytes, rate_hz: int = RATE_HZ, channels: int = 1) -> None:
    """Write 16-bit PCM; with several channels the samples are interleaved."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(pcm16)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _samples(data: bytes, kind: int, bits: int) -> Samples | None:
    if kind in (_ALAW, _ULAW) and bits == 8:
        return to_float(decode_g711(data, "alaw" if kind == _ALAW else "ulaw"))
    data = data[: len(data) // max(1, bits // 8) * max(1, bits // 8)]
    if kind == _FLOAT and bits in (32, 64):
        return np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
    if kind != _PCM:
        return None
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
    if bits == 16:
        return to_float(data)
    if bits == 24:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        value = (octets[:, 0] << 8 | octets[:, 1] << 16 | octets[:, 2] << 24) >> 8
        return value.astype(np.float32) / 8388608.0
    if bits == 32:
        return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2147483648.0)
    return None
