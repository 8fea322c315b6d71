"""Merge patch (the vectors of RFC 7396, appendix A) and differences by path."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.changes import difference, is_same, merge_difference, merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged_as_the_standard_says(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(target=OBJECT, patch=OBJECT)
def test_merging_twice_is_merging_once_and_leaves_the_target_alone(target: Any, patch: Any) -> None:
    before = repr(target)

    merged = merge_patch(target, patch)

    assert merge_patch(merged, patch) == merged
    assert repr(target) == before


@given(state=OBJECT)
def test_a_state_does_not_differ_from_itself(state: Any) -> None:
    assert difference(state, state) == ({}, {})


def test_a_difference_names_paths_and_tells_true_from_one() -> None:
    before = {"a": {"b": 1, "gone": 2}, "same": [1], "kind": 1}
    after = {"a": {"b": 3, "new": None}, "same": [1], "kind": True}

    assert difference(before, after) == (
        {"a.b": 1, "a.gone": 2, "kind": 1},
        {"a.b": 3, "a.new": None, "kind": True},
    )


FULL = st.dictionaries(
    st.text(max_size=2),
    st.recursive(
        st.booleans() | st.integers(0, 2) | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=6,
    ),
    max_size=4,
)


@given(before=FULL, after=FULL)
def test_the_patch_between_two_states_makes_one_of_the_other(before: Any, after: Any) -> None:
    patch = merge_difference(before, after)

    assert is_same(merge_patch(before, patch), after)
    assert bool(patch) is not is_same(before, after)


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [(1, True, False), ([0], [False], False), ({"a": {"b": 1}}, {"a": {"b": True}}, False), (1, 1.0, True)],
)
def test_a_truth_is_no_number(was: Any, now: Any, same: bool) -> None:
    assert is_same(was, now) is same
    assert (difference({"x": was}, {"x": now}) == ({}, {})) is (same and type(was) is type(now))
