"""IAM Preflight: what every AWS principal will be able to do, before it is deployed."""

from __future__ import annotations

__version__ = "0.1.0"
