"""Path tracing over Mitsuba."""
