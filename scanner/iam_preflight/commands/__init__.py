"""One module for each command; a new one needs no edit elsewhere.

A module `who_can.py` that defines `command` is `iam-preflight who-can`. It is imported when
somebody asks for it, so everything heavy is imported inside its function.
"""
