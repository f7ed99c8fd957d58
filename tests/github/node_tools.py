"""Where tools from npm are."""

from __future__ import annotations

import os
from pathlib import Path

NODE_MODULES = Path(
    os.environ.get("IAM_PREFLIGHT_NODE_MODULES")
    or Path(__file__).parent.parent / "tools" / "node_modules"
)
