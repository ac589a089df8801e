"""Transcripts: recordings in words, on one timeline for all servers and proxies, whole or limited in length."""

from windsock.recording.transcript.events import event_text, preview
from windsock.recording.transcript.recorded import summary, transcript

__all__ = ["event_text", "preview", "summary", "transcript"]
