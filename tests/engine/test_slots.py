"""Which cache a prompt goes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.engine.slots import LONGEST, SNAPSHOTS, Slots, _common

FRAME = "how to talk, and worked examples " * 10


class Talk:
    """A conversation whose prompt grows."""

    def __init__(self, slots: Slots, name: str) -> None:
        self.slots = slots
        self.text = f"{FRAME}{name}"

    def turn(self, more: str = " something said and answered at some length") -> int:
        """Say something; gives the cache it went to."""
        self.text += more
        place = self.slots.take(self.text)
        self.slots.give_back(place)
        return place.index


@given(st.text("ab", max_size=20), st.text("ab", max_size=20))
def test_what_two_prompts_have_in_common_is_their_beginning(one: str, other: str) -> None:
    """Whatever comes after the first difference."""
    same = _common(one, other)
    assert one[:same] == other[:same]
    assert min(len(one), len(other)) == same or one[same] != other[same]


def test_a_conversation_goes_where_it_was() -> None:
    """Two conversations that begin alike keep a cache each, whatever the order of their turns."""
    slots = Slots(4)
    slots.keep(FRAME)
    one, other = Talk(slots, "A"), Talk(slots, "B")
    homes = (one.turn(), other.turn())
    assert homes[0] != homes[1]
    assert [(one.turn(), other.turn()) for _ in range(5)] == [homes] * 5


def test_a_new_conversation_begins_with_the_snapshot_of_its_prefix() -> None:
    """What was read once need not be read again by another cache."""
    slots = Slots(2)
    name = slots.keep(FRAME + "Hello.")
    assert slots.take(FRAME + "one").snapshot == name
    assert slots.take(FRAME + "other").snapshot == name


def test_a_cache_that_knows_more_is_not_overwritten() -> None:
    """A conversation going on needs no snapshot."""
    slots = Slots(2)
    slots.keep(FRAME)
    first = slots.take(FRAME + "one")
    slots.give_back(first)
    assert slots.take(FRAME + "one and more").snapshot is None


def test_a_busy_cache_is_left_alone() -> None:
    """Two answers at once go to two caches, even to the same prompt."""
    slots = Slots(2)
    assert slots.take("same").index != slots.take("same").index


def test_the_one_who_was_quiet_longest_makes_room() -> None:
    """With more conversations than caches, the oldest loses its own."""
    slots = Slots(2)
    slots.keep(FRAME)
    talks = [Talk(slots, name) for name in "AB"]
    homes = [talk.turn(" much was said " * 20) for talk in talks]
    assert Talk(slots, "C").turn(" also much " * 20) == homes[0]


def test_long_prefixes_and_known_ones_are_not_kept() -> None:
    """A snapshot takes room on disk."""
    slots = Slots(1)
    assert slots.keep("x" * (LONGEST + 1)) is None
    assert slots.keep(FRAME) is not None
    assert slots.keep(FRAME) is None


def test_the_snapshot_that_was_not_used_makes_room() -> None:
    """There are only so many; their names are used again."""
    slots = Slots(1)
    names = [slots.keep(f"{index} {FRAME}") for index in range(SNAPSHOTS)]
    slots.give_back(slots.take(f"0 {FRAME} hello"))
    assert slots.keep("another " + FRAME) == names[1]


@given(st.lists(st.tuples(st.integers(0, 5), st.text("ab", max_size=5)), max_size=40), st.integers(1, 4))
def test_a_cache_is_never_given_twice_at_once_while_another_is_free(asked: list[tuple[int, str]], size: int) -> None:
    """Whatever is asked, in whatever order it ends."""
    slots, busy = Slots(size), []
    for which, text in asked:
        if len(busy) == size:
            slots.give_back(busy.pop(which % size))
        place = slots.take(text)
        assert place.index not in [other.index for other in busy]
        busy.append(place)
