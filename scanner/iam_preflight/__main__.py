"""`python -m iam_preflight`, and the command `iam-preflight`."""

from __future__ import annotations

from iam_preflight.collector import short_lived_process


def main() -> None:
    """Runs the command line, with the collector out of the way of its imports, too."""
    with short_lived_process():
        from iam_preflight.cli import main as run

        run()


if __name__ == "__main__":
    main()
