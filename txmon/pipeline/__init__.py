"""From accepted events to alerts: the scorer and its saved state. Never opens a source."""
