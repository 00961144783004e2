"""Identifiers: UUIDv7 in order and well formed, and global ids that only their own kind opens."""

import threading
import time
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.contracts.errors import ValidationFailed
from spine.services.ids import key_of, node_id, split_node_id, tenant_id_of, text_node_id, uuid7


class TestUuid7:
    def test_has_the_version_variant_and_time_of_rfc_9562(self) -> None:
        before = time.time_ns() // 1_000_000
        made = uuid7()
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 100

    def test_each_is_greater_than_the_one_before(self) -> None:
        made = [uuid7() for _ in range(20_000)]
        assert made == sorted(set(made))

    def test_threads_never_share_one(self) -> None:
        made: list[UUID] = []
        threads = [threading.Thread(target=lambda: made.extend(uuid7() for _ in range(2_000))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(made)) == 8_000


class TestTenantIds:
    def test_follow_from_the_slug_forever(self) -> None:
        assert tenant_id_of("demo") == UUID("f273ee04-be51-5257-9840-511869dae116")
        assert tenant_id_of("demo2") != tenant_id_of("demo")


class TestNodeIds:
    @given(st.uuids())
    def test_give_back_the_key_to_their_own_kind(self, key: UUID) -> None:
        opaque = node_id("Run", key)
        assert key_of(opaque, "Run") == key
        assert split_node_id(opaque) == ("Run", key.bytes)
        assert set(opaque) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    def test_are_refused_for_another_kind(self) -> None:
        with pytest.raises(ValidationFailed, match="not the id of a Signal"):
            key_of(node_id("Run", uuid4()), "Signal")

    @given(st.text(max_size=40))
    def test_garbage_is_refused_as_such(self, text: str) -> None:
        try:
            kind, key = split_node_id(text)
        except ValidationFailed:
            return
        assert kind.isascii()
        assert key

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
    def test_of_texts_give_back_the_text(self, key: str) -> None:
        assert split_node_id(text_node_id("Agent", key)) == ("Agent", key.encode())
