"""Coding agents as the driver meets them: a scripted one, and how to get real ones."""
