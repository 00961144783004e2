"""Cosignatures: those of public witnesses verify, ours are read back, and nothing that was changed is."""

from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from spine.services.proof.cosignature import MAX_TIME, CosignatureVerifier, Cosigner, cosigned_at
from spine.services.proof.note import NoteError, NoteVerifier, Signature, Signer, Verifier, open_note, sign, split_note

PUBLIC: Final = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

\N{EM DASH} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzal\
ApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
\N{EM DASH} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bf\
TW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
\N{EM DASH} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkj\
Zr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
\N{EM DASH} witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQt\
mJbqmNWVuE0tgh0XwzdZsDsUAQ==
\N{EM DASH} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WB\
xtqB0DrAWfBw==
\N{EM DASH} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI\
7cUiOvKFYe/TmN9DAg==
"""
"""A checkpoint of a public log, as it was published with the cosignatures of four public witnesses."""

LOG: Final = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
WITNESSES: Final = (
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
CHECKPOINT: Final = "log.example/one\n3\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\nan extension\n"
SEED: Final = bytes(range(32))
AT: Final = 1_679_315_147


def cosigner(now: int = AT, name: str = "witness.example/w1") -> Cosigner:
    return Cosigner(name, SEED, lambda: now)


class TestPublicCosignatures:
    @pytest.mark.parametrize("vkey", WITNESSES)
    def test_each_verifies(self, vkey: str) -> None:
        verifier = CosignatureVerifier.parse(vkey)
        note = open_note(PUBLIC, [verifier])
        assert note.signers == (verifier.name,)
        assert [cosigned_at(one) for one in note.signatures] == [1_779_573_024]

    def test_they_are_read_beside_the_signature_of_the_log(self) -> None:
        known: list[NoteVerifier] = [Verifier.parse(LOG), *map(CosignatureVerifier.parse, WITNESSES)]
        assert len(open_note(PUBLIC, known).signatures) == 5

    @pytest.mark.parametrize("vkey", WITNESSES)
    def test_none_verifies_over_another_size(self, vkey: str) -> None:
        with pytest.raises(NoteError, match="invalid signature"):
            open_note(PUBLIC.replace("1432088532", "1432088533", 1), [CosignatureVerifier.parse(vkey)])


class TestOwnCosignatures:
    def test_the_message_is_the_one_of_the_specification(self) -> None:
        content = cosigner().sign(CHECKPOINT)
        verifier = CosignatureVerifier.parse(cosigner().vkey)
        message = f"cosignature/v1\ntime 1679315147\n{CHECKPOINT}".encode()
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(content[8:], message)
        assert content[:8] == bytes.fromhex("000000006418 50cb")

    def test_a_note_with_it_opens_and_tells_the_time(self) -> None:
        note = sign(CHECKPOINT, [Signer("log.example/one", SEED), cosigner()])
        opened = open_note(note, [CosignatureVerifier.parse(cosigner().vkey)])
        assert opened.text == CHECKPOINT
        assert [(one.name, cosigned_at(one)) for one in opened.signatures] == [("witness.example/w1", AT)]

    def test_another_time_than_the_signed_one_is_refused(self) -> None:
        content = cosigner().sign(CHECKPOINT)
        later = (AT + 1).to_bytes(8) + content[8:]
        assert not CosignatureVerifier.parse(cosigner().vkey).verify(CHECKPOINT, later)

    def test_an_extension_is_signed_too(self) -> None:
        content = cosigner().sign(CHECKPOINT)
        changed = CHECKPOINT.replace("an extension", "no extension")
        assert not CosignatureVerifier.parse(cosigner().vkey).verify(changed, content)

    @pytest.mark.parametrize("length", [0, 7, 8, 64, 71, 73])
    def test_any_other_length_is_refused(self, length: int) -> None:
        content = (cosigner().sign(CHECKPOINT) + b"\0")[:length]
        assert not CosignatureVerifier.parse(cosigner().vkey).verify(CHECKPOINT, content)

    def test_a_time_beyond_the_calendar_is_refused(self) -> None:
        verifier = CosignatureVerifier.parse(cosigner().vkey)
        assert verifier.verify(CHECKPOINT, cosigner(MAX_TIME).sign(CHECKPOINT))
        assert not verifier.verify(CHECKPOINT, cosigner(MAX_TIME + 1).sign(CHECKPOINT))

    def test_the_signature_of_a_log_is_no_cosignature(self) -> None:
        log = Signer("witness.example/w1", SEED)
        with pytest.raises(NoteError, match="no signature of a known key"):
            open_note(sign(CHECKPOINT, [log]), [CosignatureVerifier.parse(cosigner().vkey)])
        with pytest.raises(NoteError, match="signature type"):
            CosignatureVerifier.parse(log.vkey)
        with pytest.raises(NoteError, match="signature type"):
            Verifier.parse(cosigner().vkey)

    def test_the_signature_of_a_log_under_the_id_of_a_witness_is_refused(self) -> None:
        forged = Signature(cosigner().name, cosigner().key_id, Signer("any", SEED).sign(CHECKPOINT))
        _, (real,) = split_note(sign(CHECKPOINT, [cosigner()]))
        for content in (forged.content, real.content[:8] + forged.content):
            note = f"{CHECKPOINT}\n{forged._replace(content=content).line()}"
            with pytest.raises(NoteError, match="invalid signature"):
                open_note(note, [CosignatureVerifier.parse(cosigner().vkey)])

    @pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
    def test_a_name_that_no_key_may_have_is_refused(self, name: str) -> None:
        with pytest.raises(NoteError, match="not a key's name"):
            cosigner(name=name)
