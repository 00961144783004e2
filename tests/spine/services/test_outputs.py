"""Outputs are compared by what they say; whatever readers would not all read alike, by its bytes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.outputs import canonical_output, output_hash

SALT = bytes(range(32))

ALIKE = [
    (b'{"b": 1, "a": [1, 2]}', b'{"a":[1,2],"b":1}'),
    (b' "x" ', b'"x"'),
    (b"12.0\n", b"12.0"),
    (b'"\\u00e9"', '"é"'.encode()),
]
DIFFERENT = [
    (b"1", b"1.0"),
    (b"1", b'"1"'),
    (b"12.0", b"12.00"),
    (b'{"a":1,"a":2}', b'{"a":2}'),
    (b"9007199254740993", b"9007199254740992"),
    (b"1.00000000000000000001", b"1.0"),
    (b"NaN", b"null"),
    (b'{"a":null}', b"{}"),
    (b"plain text", b"plain  text"),
    (b"", b"null"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_the_same_said_otherwise_is_the_same(one: bytes, other: bytes) -> None:
    assert output_hash(SALT, one) == output_hash(SALT, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_something_else_is_never_the_same(one: bytes, other: bytes) -> None:
    assert output_hash(SALT, one) != output_hash(SALT, other)


@pytest.mark.parametrize("text", [b'"\\ud800"', b"\xff", b"[" * 100_000, b'{"a":9007199254740992}', b"Infinity"])
def test_what_is_no_json_that_all_read_alike_stays_as_it_is(text: bytes) -> None:
    assert canonical_output(text) == text


@given(st.binary())
def test_a_hash_is_the_whole_sha_256_of_salt_and_canonical_form(content: bytes) -> None:
    assert output_hash(SALT, content) == hashlib.sha256(SALT + canonical_output(content)).hexdigest()
    assert output_hash(None, content) == hashlib.sha256(canonical_output(content)).hexdigest()


@given(st.binary())
def test_a_canonical_form_is_its_own(content: bytes) -> None:
    assert canonical_output(canonical_output(content)) == canonical_output(content)
