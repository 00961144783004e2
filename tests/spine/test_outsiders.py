"""Who vouches for checkpoints, as the settings say: a wrong setting is told at once, and without a traceback."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from spine.bootstrap import Runtime, explained, outsiders
from spine.services.clock import system_clock
from spine.services.proof.cosignature import Cosigner
from spine.services.proof.note import Signer
from spine.services.proof.timestamp import TimestampError
from spine.settings import Settings
from tests.spine.services.proof.authority import Authority

COSIGNER = Cosigner("witness.example/w1", bytes(32), lambda: 1)
WITNESS = f"{COSIGNER.vkey} https://w1.example/prefix"


class TestOutsiders:
    def test_are_nobody_by_default(self, runtime: Runtime, settings: Settings) -> None:
        assert outsiders(settings, runtime.registry, system_clock) == []

    def test_are_every_witness_and_the_authority(
        self, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOC_WITNESSES", f"{WITNESS}, {COSIGNER.vkey} http://127.0.0.1:8001")
        monkeypatch.setenv("HOC_TSA_URL", "https://tsa.example/stamp")
        monkeypatch.setenv("HOC_TSA_ROOTS", str(Authority(tmp_path).root))
        found = outsiders(Settings(), runtime.registry, system_clock)
        assert [one.kind for one in found] == ["witness", "witness", "authority"]
        assert [one.name for one in found] == [*[COSIGNER.name] * 2, "https://tsa.example/stamp"]

    @pytest.mark.parametrize(
        "given",
        [
            "https://w1.example",
            COSIGNER.vkey,
            f"{COSIGNER.vkey} w1.example",
            f"{COSIGNER.vkey} https://user:secret@w1.example",
            f"{Signer('log.example', bytes(32)).vkey} https://w1.example",
        ],
    )
    def test_are_refused_where_no_witness_is_meant(self, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_WITNESSES", f"{WITNESS},{given}")
        with pytest.raises(ValidationError, match="witnesses"):
            Settings()

    def test_need_the_certificates_that_stamps_lead_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_TSA_URL", "https://tsa.example")
        with pytest.raises(ValidationError, match="HOC_TSA_ROOTS"):
            Settings()

    def test_are_explained_when_the_certificates_cannot_be_read(self, runtime: Runtime, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        for name, kind in (("empty", TimestampError), ("absent", FileNotFoundError)):
            settings = Settings(tsa_url="https://tsa.example", tsa_roots=tmp_path / name)
            with pytest.raises(kind) as failed:
                outsiders(settings, runtime.registry, system_clock)
            assert explained(failed.value)
