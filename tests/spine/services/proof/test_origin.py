"""A log's name says whose it is and how often a restore was declared."""

import pytest

from spine.services.proof.origin import NotAnOrigin, Origin
from tests.spine.services.proof.records import TENANT


class TestOrigin:
    @pytest.mark.parametrize("origin", [Origin("hoc-spine", TENANT), Origin("example.com/a/b", TENANT, 12)])
    def test_is_read_as_it_is_written(self, origin: Origin) -> None:
        assert Origin.parse(str(origin)) == origin

    def test_has_no_epoch_before_the_first_restore(self) -> None:
        assert str(Origin("hoc-spine", TENANT)) == f"hoc-spine/{TENANT}"
        assert str(Origin("hoc-spine", TENANT, 2)) == f"hoc-spine/{TENANT}/2"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            str(TENANT),
            f"/{TENANT}",
            f"hoc-spine/{TENANT}/1",
            f"hoc-spine/{TENANT}/02",
            f"hoc-spine/{TENANT}/-2",
            f"hoc-spine/{TENANT}/",
            f"hoc-spine/{TENANT}/2/2",
            "hoc-spine/another",
            f"hoc-spine/{str(TENANT).upper()}A",
        ],
    )
    def test_is_refused_in_any_other_spelling(self, text: str) -> None:
        with pytest.raises(NotAnOrigin):
            Origin.parse(text)
