import sys
from pathlib import Path

# the helpers that policies are written with
sys.path.append(str(Path(__file__).parent.parent / "policy"))
