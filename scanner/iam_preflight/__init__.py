"""IAM Preflight: what every AWS principal will be able to do, before it is deployed.

```python
from pathlib import Path

from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, scan

report = scan([Path("infra")], load_rules(), ScanOptions())
for finding in report.shown:
    print(finding.primary.span, finding.rule, finding.message)
```

Rules of your own derive from `iam_preflight.rules.Rule`. Importing the package costs nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"
