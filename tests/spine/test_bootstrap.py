"""The pepper of key hashes: made once, private, and never taken from a file that was damaged."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from spine.bootstrap import BadPepper, key_pepper
from spine.settings import Settings


class TestKeyPepper:
    def test_is_made_once_and_is_private(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "hoc")
        pepper = key_pepper(settings)
        assert len(pepper) == 32
        assert key_pepper(settings) == pepper
        (file,) = (tmp_path / "hoc").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("left", [b"", b"x" * 31])
    def test_of_a_damaged_file_is_refused(self, left: bytes, tmp_path: Path) -> None:
        (tmp_path / "key-pepper").write_bytes(left)
        with pytest.raises(BadPepper, match=f"has {len(left)}"):
            key_pepper(Settings(data_dir=tmp_path))

    def test_that_is_empty_in_the_environment_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_KEY_PEPPER", "")
        with pytest.raises(ValidationError):
            Settings(data_dir=tmp_path)
