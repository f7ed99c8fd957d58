"""For all tests: property tests are about answers, not about how busy the machine is."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "calm", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("calm")

# what is tested is a scan, not what an earlier one found
os.environ["IAM_PREFLIGHT_CACHE"] = "off"
