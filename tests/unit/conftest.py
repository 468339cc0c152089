"""For the tests that need no engine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes, or the drawing of one, says how busy the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
