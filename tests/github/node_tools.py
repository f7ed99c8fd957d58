"""Where tools from npm are: `npm ci --prefix tests/tools`."""

from __future__ import annotations

import os
from pathlib import Path

TOOLS = Path(os.environ.get("IAM_PREFLIGHT_NODE_MODULES") or Path(__file__).parent.parent / "tools")
NODE_MODULES = TOOLS / "node_modules"
