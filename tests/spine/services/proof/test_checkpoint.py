"""Checkpoints are those of C2SP tlog-checkpoint, written and read in one way only."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.proof.checkpoint import MAX_SIZE, Checkpoint
from spine.services.proof.note import NoteError

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
TEXT = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"


class TestACheckpoint:
    def test_of_the_specification_is_read_and_written(self) -> None:
        read = Checkpoint.parse(TEXT)
        assert read == Checkpoint("example.com/behind-the-sofa", 20852163, base64.b64decode(ROOT))
        assert read.text() == TEXT

    @given(st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32), st.lists(st.sampled_from(["a", "b c"])))
    def test_is_read_as_it_was_written(self, size: int, root: bytes, extensions: list[str]) -> None:
        written = Checkpoint("log.example/1", size, root, tuple(extensions))
        assert Checkpoint.parse(written.text()) == written

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\n",
            TEXT[:-1],
            f"{TEXT}\n",
            f"\n{TEXT}",
            TEXT.replace("20852163", ""),
            TEXT.replace("20852163", "020852163"),
            TEXT.replace("20852163", "-1"),
            TEXT.replace("20852163", "+1"),
            TEXT.replace("20852163", " 1"),
            TEXT.replace("20852163", "1_0"),
            TEXT.replace("20852163", "0x1"),
            TEXT.replace("20852163", "٣"),
            TEXT.replace("20852163", str(MAX_SIZE + 1)),
            TEXT.replace("20852163", "1" * 5000),
            TEXT.replace(ROOT, ROOT[:-1]),
            TEXT.replace(ROOT, ROOT.replace("2I=", "2J=")),
            TEXT.replace(ROOT, base64.b64encode(bytes(31)).decode()),
            TEXT.replace(ROOT, base64.b64encode(bytes(33)).decode()),
            "example.com\n1\n",
        ],
    )
    def test_is_refused_in_any_other_spelling(self, text: str) -> None:
        with pytest.raises(NoteError):
            Checkpoint.parse(text)
