"""Commitments bind, hide and match; salts are fresh."""

import hashlib

import pytest

from spine.services.commitments import SALT_BYTES, commitment, matches, salts

SALT = bytes(range(SALT_BYTES))


class TestSalts:
    def test_are_so_many_and_all_different(self) -> None:
        drawn = list(salts(100))
        assert [len(salt) for salt in drawn] == [SALT_BYTES] * 100
        assert len({*drawn, *salts(100)}) == 200

    def test_of_nothing_are_none(self) -> None:
        assert list(salts(0)) == []


class TestACommitment:
    def test_is_sha_256_of_salt_and_content(self) -> None:
        assert commitment(SALT, b"yes") == hashlib.sha256(SALT + b"yes").digest()

    def test_without_a_salt_is_the_plain_digest(self) -> None:
        assert commitment(None, b"yes") == hashlib.sha256(b"yes").digest()


class TestMatching:
    def test_is_of_this_content_under_this_salt(self) -> None:
        assert matches(SALT, b"yes", commitment(SALT, b"yes"))
        assert not matches(SALT, b"no", commitment(SALT, b"yes"))
        assert not matches(None, b"yes", commitment(SALT, b"yes"))

    @pytest.mark.parametrize("salt", [SALT, None])
    def test_nothing_is_committed_to_by_nothing(self, salt: bytes | None) -> None:
        assert matches(salt, None, None)
        assert not matches(salt, None, commitment(salt, b""))
        assert not matches(salt, b"", None)
