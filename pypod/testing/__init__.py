"""What tests without a Docker Engine use. The contract tests hold the fake to what a real engine does."""

from pypod.testing.clock import FakeClock, Timer
from pypod.testing.fake_engine import FakeEngine
from pypod.testing.programs import Program

__all__ = ["FakeClock", "FakeEngine", "Program", "Timer"]
