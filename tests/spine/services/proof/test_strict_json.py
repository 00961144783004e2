"""One text, one record: whatever two readers could read differently is refused, with the reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.canonical_json import MAX_SAFE_INTEGER, canonical
from spine.services.proof.strict_json import NotStrict, read_object

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_")
SCALARS = st.none() | st.booleans() | st.text() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)


class TestReadObject:
    @given(st.dictionaries(NAMES, SCALARS))
    def test_reads_what_canonical_writes(self, record: dict[str, Any]) -> None:
        found = read_object(canonical(record).decode())
        assert found == record
        assert list(map(type, found.values())) == [type(record[name]) for name in found]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('{"a":1,"a":1}', "duplicate key 'a'"),
            ('{"a":1,"b":{"c":1,"c":2}}', "duplicate key 'c'"),
            ('{"a":NaN}', "not a number: NaN"),
            ('{"a":Infinity}', "not a number: Infinity"),
            ('{"a":-Infinity}', "not a number: -Infinity"),
            ('{"a":1.0}', "not an integer: 1.0"),
            ('{"a":1e3}', "not an integer: 1e3"),
            ('{"a":1e400}', "not an integer: 1e400"),
            ('{"a":9007199254740992}', r"integer beyond ±\(2\^53 - 1\): 9007199254740992"),
            ('{"a":-9007199254740992}', r"integer beyond ±\(2\^53 - 1\)"),
            ('{"a":' + "9" * 100_000 + "}", "integer beyond"),
            ('{"a":-0}', "not canonical JSON"),
            ('{"a":"\\ud800"}', "lone surrogate"),
            ('{"\\udfff":1}', "lone surrogate"),
            ('{"a":"\\ud83d\\ude00"}', "not canonical JSON"),
            ('{"a":"\\u0061"}', "not canonical JSON"),
            ('{"a":"\\/"}', "not canonical JSON"),
            ('{"b":1,"a":1}', "not canonical JSON"),
            ('{"a": 1}', "not canonical JSON"),
            ('{"a":[1]}', "nested value of 'a'"),
            ('{"a":{}}', "nested value of 'a'"),
            ('{"a":' + "[" * 200_000, "nested too deeply"),
            ("[]", "not an object"),
            ("1", "not an object"),
            ("null", "not an object"),
            ("", "not JSON"),
            ('{"a":1}{"a":1}', "not JSON"),
            ('{"a":1} ', "not canonical JSON"),
            ('{"a":01}', "not JSON"),
            ('{"a":"\t"}', "not JSON"),
            ('{"a":"\x00"}', "not JSON"),
            ("{'a':1}", "not JSON"),
            ('\ufeff{"a":1}', "not JSON"),
            ('{"a":true,}', "not JSON"),
        ],
    )
    def test_refuses_with_the_reason(self, text: str, reason: str) -> None:
        with pytest.raises(NotStrict, match=reason):
            read_object(text)
