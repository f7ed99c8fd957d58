"""Posting results to GitHub."""
