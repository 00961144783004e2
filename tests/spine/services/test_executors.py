"""The skills that are executed here: arithmetic, and nothing that only looks like it."""

import json

import pytest

from spine.services.executors import BUILT_IN, calculate


def given(expression: str) -> bytes:
    return json.dumps({"expression": expression}).encode()


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("152 + 103", b"255.0"),
        ("(404 + 202) * 3 - (126 + 139) * 3", b"1023.0"),
        ("10 / 4", b"2.5"),
        ("1 / 3", b"0.33"),
        ("-5 + +2", b"-3.0"),
        (" 7 ", b"7.0"),
    ],
)
async def test_arithmetic_is_calculated_and_rounded_to_two_places(expression: str, answer: bytes) -> None:
    assert await calculate(given(expression)) == answer


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"2 + 2",
        b"{}",
        b'{"expression":4}',
        b'{"expression":"1","more":2}',
        *map(given, ["", "1 +", "x", "__import__('os')", "9**9**9", "1 / 0", "1 // 2", "(" * 200, "1" * 501, "1 2"]),
    ],
)
async def test_anything_else_is_refused(content: bytes | None) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await calculate(content)


async def test_numbers_that_grow_do_not_stall_it() -> None:
    with pytest.raises(ValueError, match="OverflowError"):
        await calculate(given("*".join(["9" * 20] * 20)))


def test_every_skill_that_is_built_in_may_be_repeated() -> None:
    assert all(executor.repeatable for executor in BUILT_IN.values())
