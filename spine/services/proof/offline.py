"""Verifying a run's bundle without trusting whoever made it: no network, no database, no server.

All that is believed beforehand are the keys: those of the log, and those of witnesses whose cosignatures are wanted.
The log's size and root come from the checkpoint that such a key signed, and from nowhere else; the tenant from its
origin. Behind that every hash is made again: steps and their links, evidence, seals, and the leaf in the tree.

A checkpoint that was kept from earlier shows more: that nothing which the log held then has been changed or dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from spine.services.proof.bundle_reading import Bundle, NotABundle, read_bundle
from spine.services.proof.bundle_records import demand_records
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.leaves import seal_entry
from spine.services.proof.merkle import EMPTY_ROOT, ProofError, leaf_hash, verify_consistency, verify_inclusion
from spine.services.proof.note import NoteError, NoteVerifier, Signature, open_note, split_note
from spine.services.proof.origin import NotAnOrigin, Origin


class Trust(NamedTuple):
    """What the reader brings along: keys of the log, witnesses that must have cosigned, a checkpoint from earlier."""

    keys: Sequence[NoteVerifier]
    witnesses: Sequence[NoteVerifier] = ()
    kept: str | None = None


class SignedTree(NamedTuple):
    """A checkpoint whose signature holds: the only source of a size and a root."""

    origin: Origin
    size: int
    root: bytes
    signatures: tuple[Signature, ...]


class Verified(NamedTuple):
    """A bundle that holds, with the trees that vouch for it; `kept` is the earlier one where there was one."""

    bundle: Bundle
    tree: SignedTree
    kept: SignedTree | None


def verify_bundle(raw: bytes, trust: Trust) -> Verified:
    """Check all of a bundle; raises Refused, which names the first thing that does not hold."""
    try:
        bundle = read_bundle(raw)
    except NotABundle as error:
        raise Refused(Fault.FORMAT, str(error)) from None
    tree = signed_tree(bundle.log.note, trust.keys, trust.witnesses, "the bundle's checkpoint")
    demand_records(tree.origin.tenant, bundle)
    _demand_inclusion(bundle, tree)
    _demand_older(bundle, tree)
    kept = None
    if trust.kept is not None:
        kept = signed_tree(trust.kept, trust.keys, (), "the checkpoint from earlier")
        _demand_continuation(bundle, tree, kept)
    return Verified(bundle, tree, kept)


def signed_tree(
    note: str,
    keys: Sequence[NoteVerifier],
    witnesses: Sequence[NoteVerifier],
    what: str,
) -> SignedTree:
    """The tree that a note's checkpoint names, once the log's key and every wanted witness have signed it."""
    try:
        opened = open_note(note, [*keys, *witnesses])
        checkpoint = Checkpoint.parse(opened.text)
        _demand_each_once(split_note(note)[1])
    except NoteError as error:
        raise Refused(Fault.SIGNATURE, f"{what}: {error}") from None
    signed = {(signature.name, signature.key_id) for signature in opened.signatures}
    signers = [key.name for key in keys if (key.name, key.key_id) in signed]
    if not signers:
        raise Refused(Fault.SIGNATURE, f"{what} is not signed by a key of the log")
    if checkpoint.origin not in signers:
        raise Refused(Fault.ORIGIN, f"{what} is of the log {checkpoint.origin!r}, its key is that of {signers[0]!r}")
    for witness in witnesses:
        if (witness.name, witness.key_id) not in signed:
            raise Refused(Fault.COSIGNATURE, f"{what} is not cosigned by {witness.name}")
    return SignedTree(_origin(checkpoint), checkpoint.size, checkpoint.root, opened.signatures)


def _demand_each_once(signatures: Sequence[Signature]) -> None:
    if len({(each.name, each.key_id) for each in signatures}) != len(signatures):
        raise NoteError("a key's signature stands there twice")


def _origin(checkpoint: Checkpoint) -> Origin:
    try:
        return Origin.parse(checkpoint.origin)
    except NotAnOrigin as error:
        raise Refused(Fault.ORIGIN, str(error)) from None


def _demand_inclusion(bundle: Bundle, tree: SignedTree) -> None:
    latest, proof = bundle.seals[-1], bundle.log
    leaf = leaf_hash(seal_entry(latest.hash, UUID(str(latest.fields["run_key"])), len(bundle.seals)))
    try:
        verify_inclusion(leaf, proof.leaf_index, tree.size, proof.path, tree.root)
    except ProofError as error:
        reason = f"seal {latest.fields['version']} is not leaf {proof.leaf_index} of {tree.size}: {error}"
        raise Refused(Fault.INCLUSION, reason) from None


def _demand_older(bundle: Bundle, tree: SignedTree) -> None:
    """The bundle's own consistency proof must hold even if nobody asked for it."""
    if bundle.older is None:
        return
    older = bundle.older
    try:
        verify_consistency(older.size, tree.size, older.root, tree.root, older.path)
    except ProofError as error:
        reason = f"the log of {tree.size} leaves does not begin with that of {older.size}: {error}"
        raise Refused(Fault.CONSISTENCY, reason) from None


def _demand_continuation(bundle: Bundle, tree: SignedTree, kept: SignedTree) -> None:
    """The checkpoint from earlier must be of the same log, and its tree the beginning of the bundle's."""
    if kept.origin._replace(epoch=tree.origin.epoch) != tree.origin:
        raise Refused(Fault.ORIGIN, f"the checkpoint from earlier is of another log: {kept.origin}, not {tree.origin}")
    if kept.size > tree.size or kept.origin.epoch > tree.origin.epoch:
        raise Refused(Fault.TRUNCATION, truncation(tree, kept))
    if kept.size in {tree.size, 0}:
        if kept.root != (tree.root if kept.size else EMPTY_ROOT):
            raise Refused(Fault.FORK, f"two trees of {kept.size} leaves with different roots{restored(tree, kept)}")
        return
    if bundle.older is None or bundle.older.size != kept.size:
        ask = f"ask for the bundle with `from: {kept.size}`"
        raise Refused(Fault.CONSISTENCY, f"the bundle does not say how the log grew from {kept.size} leaves; {ask}")
    if bundle.older.root != kept.root:
        reason = f"the log of {tree.size} leaves begins with another tree of {kept.size} than was signed then"
        raise Refused(Fault.FORK, f"{reason}{restored(tree, kept)}")


def truncation(tree: SignedTree, kept: SignedTree) -> str:
    """Why a log that is smaller than it was is refused, or of an earlier epoch."""
    lost = f"the log has {tree.size} leaves in the file and had {kept.size} in the checkpoint from earlier"
    otherwise = "; unless the file is the older of both, the log was cut or an old copy of it restored"
    return f"{lost}{restored(tree, kept) or otherwise}"


def restored(tree: SignedTree, kept: SignedTree) -> str:
    """That a restore was declared between the two trees, where it was."""
    if tree.origin.epoch <= kept.origin.epoch:
        return ""
    return f"; a restore of a backup was declared between them (epoch {kept.origin.epoch} to {tree.origin.epoch})"
