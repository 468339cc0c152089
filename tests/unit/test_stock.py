"""What a pool has in stock: every item once, in order; errors told; nothing tried for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pypod.errors import (
    CommandError,
    EngineError,
    EngineUnavailableError,
    ImageError,
    PodExistsError,
    PodStartError,
    PodTimeoutError,
    PypodError,
    SpecError,
)
from pypod.stock import PATIENCE, Stock, may_heal

SIZE = 3


class Flake(Exception):
    """May heal."""


class Broken(Exception):
    """Does not."""


def heals(error: BaseException) -> bool:
    return isinstance(error, Flake)


def stock(size: int = SIZE) -> Stock[int]:
    return Stock(size, heals)


def fail(made: Stock[int], error: BaseException | None = None) -> BaseException:
    """One is begun, and cannot be made."""
    error = error or Flake()
    assert made.wanted()
    made.begin()
    made.fail(error)
    return error


def put(made: Stock[int], item: int) -> None:
    made.begin()
    made.put(item)


def test_as_many_are_wanted_as_are_missing() -> None:
    made = stock()
    assert made.wanted() == 3
    made.begin()
    assert made.wanted() == 2
    made.put(1)
    assert made.wanted() == 2
    assert made.take() == 1
    assert made.wanted() == 3


def test_a_failure_is_not_tried_again_until_somebody_takes() -> None:
    made = stock()
    error = fail(made)
    assert made.wanted() == 0
    with pytest.raises(Flake) as caught:
        made.take()
    assert caught.value is error
    assert made.wanted() == 1  # one, to find out, whatever the size


def test_who_comes_after_the_first_failure_was_told_waits_for_the_next_try() -> None:
    made = stock()
    fail(made)
    with pytest.raises(Flake):
        made.take()
    assert made.take() is None
    put(made, 7)
    assert made.take() == 7
    assert made.error is None


def test_from_the_second_failure_in_a_row_on_everybody_is_told_at_once() -> None:
    made = stock()
    for _ in range(PATIENCE):
        error = fail(made)
        with pytest.raises(Flake) as caught:
            made.take()
        assert caught.value is error
    made.begin()  # the try for those who come later is under way
    for _ in range(3):
        with pytest.raises(Flake):
            made.take()
    made.put(1)
    assert made.take() == 1
    assert made.wanted() == 3


def test_what_does_not_heal_is_told_from_then_on_and_never_tried_again() -> None:
    made = stock()
    fail(made, Broken())
    for _ in range(3):
        with pytest.raises(Broken):
            made.take()
        assert made.wanted() == 0


def test_what_is_there_is_handed_out_before_an_error_is_told() -> None:
    made = stock()
    put(made, 1)
    fail(made)
    assert made.take() == 1
    assert made.wanted() == 1
    put(made, 2)  # it has healed: nobody needs to know
    assert made.take() == 2


def test_what_does_not_keep_is_made_anew_but_not_for_ever() -> None:
    made = stock(1)
    for item in range(2):
        assert made.wanted() == 1
        put(made, item)
        assert made.sort_out(lambda item: False) == [item]
    assert made.wanted() == 0
    assert made.take() is None  # who takes has one made
    assert made.wanted() == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("create container", "x", "no space left"), True),
        (EngineUnavailableError("ping", "", "refused"), True),
        (PodStartError("cannot", pod="a/b", reason="CrashLoopBackOff"), True),
        (PodTimeoutError("cannot", pod="a/b"), True),
        (PodExistsError("cannot", pod="a/b"), True),
        (ImageError("cannot", pod="a/b", reason="ErrImagePull"), True),
        (ImageError("cannot", pod="a/b", reason="ErrImageNeverPull"), False),
        (ImageError("cannot", pod="a/b", reason="InvalidImageName"), False),
        (CommandError("cannot", pod="a/b"), False),
        (SpecError("x", []), False),
        (PypodError("?"), False),
        (TypeError("a bug"), False),
    ],
)
def test_which_errors_may_heal(error: BaseException, expected: bool) -> None:
    assert may_heal(error) is expected


@dataclass
class Told:
    """What a take came to."""

    item: int | None = None
    error: BaseException | None = None


class Machine(RuleBasedStateMachine):
    """Whatever becomes of what is made, and in whatever order, beside who takes."""

    def __init__(self) -> None:
        super().__init__()
        self.stock = stock()
        self.made = 0
        self.there: list[int] = []
        self.out: list[int] = []
        self.spoilt: set[int] = set()
        self.takes = 0
        self.tries = 0
        """Begun while the last one had failed."""
        self.hopeless = False

    @precondition(lambda self: self.stock.wanted())
    @rule()
    def begin(self) -> None:
        assert not self.hopeless
        self.tries += self.stock.error is not None
        self.stock.begin()

    @precondition(lambda self: self.stock.starting)
    @rule()
    def put(self) -> None:
        self.made += 1
        self.there.append(self.made)
        self.stock.put(self.made)
        self.hopeless = False
        assert self.stock.error is None

    @precondition(lambda self: self.stock.starting)
    @rule(heals=st.booleans())
    def fail(self, heals: bool) -> None:
        self.hopeless = not heals
        self.stock.fail(Flake() if heals else Broken())

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def spoil(self, data: st.DataObject) -> None:
        self.spoilt.add(data.draw(st.sampled_from(self.there)))

    @rule()
    def sort_out(self) -> None:
        bad = self.stock.sort_out(lambda item: item not in self.spoilt)
        assert set(bad) == self.spoilt & set(self.there)
        self.there = [item for item in self.there if item not in bad]

    @rule()
    def take(self) -> None:
        self.takes += 1
        before = self.stock.error
        told = Told()
        try:
            told.item = self.stock.take()
        except (Flake, Broken) as error:
            told.error = error
        if self.there:
            assert told.item == self.there.pop(0)  # the oldest
            self.out.append(told.item)
        elif told.error is not None:
            assert told.error is before
        else:
            assert told.item is None
            assert not self.hopeless
            # Who waits does not wait in vain: one is being made, or is now.
            assert self.stock.starting or self.stock.wanted()

    @invariant()
    def there_are_never_more_than_its_size(self) -> None:
        assert len(self.stock) == len(self.there)
        assert len(self.stock) + self.stock.starting <= SIZE

    @invariant()
    def none_is_handed_out_twice(self) -> None:
        assert len(set(self.out)) == len(self.out)

    @invariant()
    def nothing_is_tried_more_often_than_somebody_takes(self) -> None:
        assert self.tries <= self.takes


def test_whatever_happens() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None)
    )
