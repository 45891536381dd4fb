"""Is that a person? Tones, colour ring music, announcements, letter boxes, assistants, before and after the answer."""
