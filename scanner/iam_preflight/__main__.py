"""`python -m iam_preflight`."""

from __future__ import annotations

from iam_preflight.cli import main

if __name__ == "__main__":
    main()
