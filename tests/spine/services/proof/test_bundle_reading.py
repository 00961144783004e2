"""A bundle is read in one way only; every other spelling is refused with its line."""

import pytest

from spine.services.proof import bundle_reading
from spine.services.proof.bundle_reading import MAX_PATH, NotABundle, read_bundle
from tests.spine.services.proof.bundles import make_bundle

TEXT = make_bundle(steps=2, late=1, evidence=2).text
STEP = next(line for line in TEXT.split("\n") if line.startswith("step "))
SEAL = next(line for line in TEXT.split("\n") if line.startswith("seal "))
EVIDENCE = next(line for line in TEXT.split("\n") if line.startswith("evidence "))
CONSISTENCY = next(line for line in TEXT.split("\n") if line.startswith("consistency "))
HASH = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def refusal(text: str | bytes) -> str:
    with pytest.raises(NotABundle) as raised:
        read_bundle(text if isinstance(text, bytes) else text.encode())
    return str(raised.value)


class TestReading:
    def test_finds_every_part(self) -> None:
        bundle = read_bundle(TEXT.encode())
        assert (len(bundle.seals), len(bundle.steps), len(bundle.evidence)) == (2, 3, 2)
        assert bundle.older is not None
        assert (bundle.older.size, bundle.log.leaf_index) == (5, 17)
        assert TEXT.endswith(bundle.log.note)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "the file ends too early"),
            ("hoc-spine/run-bundle@v1\n", "the file ends too early"),
            (TEXT[:-1], "the file is cut off"),
            (TEXT[: TEXT.index("\nindex ")] + "\n", "the file ends too early"),
            (f"\n{TEXT}", "line 1: expected 'hoc-spine/run-bundle@v1'"),
            (f"\ufeff{TEXT}", "line 1: expected 'hoc-spine/run-bundle@v1'"),
            (TEXT.replace("@v1", "@v2", 1), "line 1: expected"),
            (TEXT.replace("\n", "\r\n"), "line 1: expected"),
            (TEXT.replace("\nrun {", "\nrum {"), "line 2: expected the run's record"),
            (TEXT.replace("\nrun {", "\nrun  {"), "line 2: not canonical JSON"),
            (TEXT.replace(STEP, f"{STEP} "), "line 5: not canonical JSON"),
            (TEXT.replace(STEP, STEP.upper()), "line 5: expected an empty line"),
            (TEXT.replace(STEP, STEP.replace("step ", "step 00", 1)), "line 5: expected a hash of 64"),
            (TEXT.replace(STEP, STEP[:69].upper().replace("STEP", "step") + STEP[69:]), "line 5: expected a hash"),
            (TEXT.replace(STEP, STEP.replace('"kind"', '"kine"')), "line 5: "),
            (TEXT.replace(STEP, STEP.replace('"marked":false', '"marked":0')), "line 5: field marked holds"),
            (TEXT.replace(STEP, STEP.replace('"salted":true', '"salted":false')), "line 5: field salted holds"),
            (TEXT.replace(STEP, STEP.replace('"model"', '"marked":false,"model"')), "line 5: duplicate key 'marked'"),
            (TEXT.replace(STEP, STEP.replace('"input_tokens":100', '"input_tokens":1e2')), "line 5: not an integer"),
            (TEXT.replace(STEP, STEP.replace('"input_tokens":100', '"input_tokens":NaN')), "line 5: not a number"),
            (TEXT.replace(STEP, STEP.replace("fine", "\\ud800")), "line 5: lone surrogate"),
            (
                TEXT.replace(STEP, STEP.replace('"input_tokens":100', '"input_tokens":9007199254740992')),
                "line 5: integer beyond",
            ),
            (TEXT.replace(STEP, f"{STEP}\n"), "line 7: expected 'c2sp.org/tlog-proof@v1'"),
            (TEXT.replace(SEAL, EVIDENCE), "expected an empty line"),
            (TEXT.replace("EvaluationRecord", "StepRecord"), "no kind of evidence"),
            (TEXT.replace(CONSISTENCY, "consistency 5"), "expected a size and a root"),
            (TEXT.replace(CONSISTENCY, f"consistency 05 {HASH}"), "not a size or an index: '05'"),
            (TEXT.replace(CONSISTENCY, f"consistency 5 {HASH[:-4]}"), "a hash has 32 bytes"),
            (TEXT.replace(CONSISTENCY, f"{CONSISTENCY}\n{CONSISTENCY}"), "not base64"),
            (TEXT.replace("\nindex 17\n", "\nextra AAAA\nindex 17\n"), "expected the leaf's index"),
            (TEXT.replace("\nindex 17\n", "\nindex -17\n"), "not a size or an index"),
            (TEXT.replace("\nindex 17\n", "\nindex 17\n" + f"{HASH}\n" * (MAX_PATH + 1)), "at most 64 hashes"),
            (TEXT.replace("\nindex 17\n", f"\nindex 17\n{HASH.replace('2I=', '2J=')}\n"), "not canonical base64"),
            (b"\xff" + TEXT.encode(), "not UTF-8 at byte 0"),
            (TEXT.encode().replace("ZÜ".encode(), b"Z\xed\xa0\x80"), "not UTF-8 at byte"),
        ],
    )
    def test_refuses_every_other_spelling(self, text: str | bytes, reason: str) -> None:
        assert reason in refusal(text)

    @pytest.mark.parametrize(
        ("name", "most", "reason"),
        [
            ("MAX_BUNDLE_BYTES", 1000, "at most 1000 bytes"),
            ("MAX_LINES", 10, "at most 10 lines"),
            ("MAX_LINE_CHARS", 500, "line 2: a line has at most 500 characters"),
            ("MAX_NOTE_CHARS", 100, "a checkpoint has at most 100 characters"),
        ],
    )
    def test_is_bounded(self, name: str, most: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bundle_reading, name, most)
        assert reason in refusal(TEXT)

    def test_of_nested_json_ends_early(self) -> None:
        nested = '{"a":' * 1_000_000
        assert "line 2: nested too deeply" in refusal(f"hoc-spine/run-bundle@v1\nrun {nested}\n")
