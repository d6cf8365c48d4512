"""Entity tags: the grammar and the two comparisons (RFC 9110, 8.8.3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.entity_tags import EntityTag

MEGABYTE = 1_000_000
A, B, WEAK_A = EntityTag('"a"'), EntityTag('"b"'), EntityTag('"a"', weak=True)

tags = st.builds(
    lambda text, weak: EntityTag(f'"{text}"', weak=weak),
    st.text([chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]),
    st.booleans(),
)


def _sent(tag: EntityTag) -> str:
    return f"W/{tag.opaque}" if tag.weak else tag.opaque


@pytest.mark.parametrize(
    ("left", "right", "strongly", "weakly"),
    [
        pytest.param(WEAK_A, WEAK_A, False, True, id='W/"1" W/"1"'),
        pytest.param(WEAK_A, EntityTag('"b"', weak=True), False, False, id='W/"1" W/"2"'),
        pytest.param(WEAK_A, A, False, True, id='W/"1" "1"'),
        pytest.param(A, WEAK_A, False, True, id='"1" W/"1"'),
        pytest.param(A, A, True, True, id='"1" "1"'),
        pytest.param(A, B, False, False, id='"1" "2"'),
        pytest.param(A, EntityTag('"A"'), False, False, id="case matters"),
    ],
)
def test_comparisons_are_those_of_the_table_in_8_8_3_2(
    left: EntityTag, right: EntityTag, *, strongly: bool, weakly: bool
) -> None:
    assert left.matches_strongly(right) is strongly
    assert left.matches_weakly(right) is weakly


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('"a"', (A,), id="one"),
        pytest.param('"a","b"', (A, B), id="two"),
        pytest.param('"a" \t,\t "b"', (A, B), id="space around the comma"),
        pytest.param(',, "a",\t,"b" ,', (A, B), id="empty elements"),
        pytest.param('W/"a", "b"', (WEAK_A, B), id="weak and strong"),
        pytest.param('""', (EntityTag('""'),), id="empty tag"),
        pytest.param('"a,b", "c"', (EntityTag('"a,b"'), EntityTag('"c"')), id="comma within"),
        pytest.param('",","', (), id="comma within, then an open quote"),
        pytest.param('"\xe4\xff"', (EntityTag('"\xe4\xff"'),), id="obs-text"),
        pytest.param('"a\\"', (EntityTag('"a\\"'),), id="a backslash escapes nothing"),
        pytest.param('"*"', (EntityTag('"*"'),), id="a star in quotes is a tag"),
        pytest.param("", (), id="empty"),
        pytest.param(" , ,", (), id="only empty elements"),
        pytest.param("a", (), id="no quotes"),
        pytest.param('"a', (), id="open quote"),
        pytest.param('a"', (), id="no first quote"),
        pytest.param('"a""b"', (), id="no comma"),
        pytest.param('"a" "b"', (), id="space for comma"),
        pytest.param('w/"a"', (), id="small w"),
        pytest.param('W/ "a"', (), id="space after W/"),
        pytest.param("W/a", (), id="weak without quotes"),
        pytest.param('"a b"', (), id="space within"),
        pytest.param('"a\x7f"', (), id="DEL within"),
        pytest.param('"a", b', (), id="good, then bad"),
        pytest.param('a, "b"', (), id="bad, then good"),
        pytest.param('*, "a"', (), id="star in a list"),
        pytest.param('"a"\n', (), id="final newline"),
        pytest.param('"\u20ac"', (), id="beyond latin-1"),
    ],
)
def test_lists_are_read_whole_or_not_at_all(value: str, expected: tuple[EntityTag, ...]) -> None:
    assert EntityTag.parse_list(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"a"', A),
        ('W/"a"', WEAK_A),
        ('"a", "b"', None),
        (' "a"', None),
        ('"a"\n', None),
        ("a", None),
        ("*", None),
        ("", None),
    ],
)
def test_a_single_tag_is_the_whole_value(value: str, expected: EntityTag | None) -> None:
    assert EntityTag.parse(value) == expected


@pytest.mark.parametrize(
    ("value", "count"),
    [
        pytest.param('"' + "a" * MEGABYTE, 0, id="one open quote"),
        pytest.param('"' * (2 * MEGABYTE), 0, id="only quotes"),
        pytest.param('"a"' + " " * MEGABYTE + "x", 0, id="spaces, then garbage"),
        pytest.param(" ," * MEGABYTE + "x", 0, id="empty elements, then garbage"),
        pytest.param('"a",' * 100_000, 100_000, id="a hundred thousand tags"),
        pytest.param("W/" * MEGABYTE, 0, id="only weakness"),
    ],
)
def test_huge_lists_take_linear_time(value: str, count: int) -> None:
    assert len(EntityTag.parse_list(value)) == count


@settings(deadline=None)
@given(st.lists(tags))
def test_any_list_of_tags_reads_back_the_same(expected: list[EntityTag]) -> None:
    assert EntityTag.parse_list(", ".join(map(_sent, expected))) == tuple(expected)


@settings(deadline=None)
@given(st.text() | st.text('"W/ab, \t*'))
def test_any_text_is_a_list_of_tags_that_were_in_it(value: str) -> None:
    assert all(_sent(tag) in value for tag in EntityTag.parse_list(value))
