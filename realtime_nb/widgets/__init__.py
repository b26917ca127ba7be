"""Widgets of a notebook: record, play, talk, look, and see what it costs."""
