"""The worlds cover what they must."""

from benchmarks.estimands.worlds import LEVELS, WORLDS, covering_array, uncovered


def test_the_worlds_cover_every_pair_of_settings():
    rows = [tuple(getattr(world, name) for name in LEVELS) for world in WORLDS]
    assert len(WORLDS) == 30
    assert len({world.name for world in WORLDS}) == 30
    assert uncovered(rows) == set()
    assert uncovered(rows[:12]) != set()


def test_the_first_worlds_are_what_the_search_finds():
    found = covering_array(40, seed=4, tries=300)
    assert found == [tuple(getattr(world, name) for name in LEVELS) for world in WORLDS[:22]]
