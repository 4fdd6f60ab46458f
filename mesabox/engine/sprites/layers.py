"""Checkpoints as layers: an idle sprite's upper simply becomes a layer, a busy one's is copied while it holds still."""

import asyncio
import subprocess
from pathlib import Path

from mesabox.engine.removal import remove_folder
from mesabox.engine.sandbox.host import Sandbox
from mesabox.engine.sprites.machines import Machine, Machines
from mesabox.engine.sprites.problems import Problem
from mesabox.engine.sprites.store import CheckpointRecord, SpriteRecord

MOST_LAYERS = 400
"""The kernel takes 500 lowers an overlay (measured); two are the base's."""


def find(machines: Machines, record: SpriteRecord, checkpoint_id: str) -> CheckpointRecord:
    """Problem 404 in the service's own words."""
    for checkpoint in machines.store.checkpoints(record):
        if checkpoint.id == checkpoint_id:
            return checkpoint
    raise Problem(404, missing(checkpoint_id))


def missing(checkpoint_id: str) -> str:
    return f"checkpoint not found: checkpoint with path checkpoints/{checkpoint_id} not found"


async def create(machines: Machines, name: str, comment: str) -> CheckpointRecord:
    async with machines.held(name) as (record, machine):
        if len(record.stack) >= MOST_LAYERS:
            raise Problem(
                409, f"{MOST_LAYERS} checkpoints lie on top of each other; restore an older one or start anew"
            )
        if machine.sandbox is not None and await machines.busy(record, machine.sandbox):
            return await _copy(machines, record, machine, machine.sandbox, comment)
        await machines.halt(record, machine)
        written = [record.upper] if machine.layer(record.upper).exists() else []  # else it never woke since
        return machines.store.checkpoint(record, comment, [*written, *record.stack], record.next_layer)


async def _copy(
    machines: Machines, record: SpriteRecord, machine: Machine, sandbox: Sandbox, comment: str
) -> CheckpointRecord:
    """A layer that others build on must never change: writers hold still while it is copied."""
    source, target = machine.layer(record.upper), machine.layer(record.next_layer)
    await sandbox.freeze()
    try:
        await asyncio.to_thread(_copy_tree, source, target)
    finally:
        await sandbox.thaw()
    return machines.store.checkpoint(record, comment, [record.next_layer, *record.stack], record.upper)


def _copy_tree(source: Path, target: Path) -> None:
    """``cp -a`` keeps what a layer is made of: whiteouts (0:0 devices), overlay's attributes, owners, hard links."""
    remove_folder(target)
    command = ["cp", "-a", "--reflink=auto", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        remove_folder(target)
        raise Problem(500, f"the sprite's layer could not be copied: {done.stderr.strip()[-300:]}")


async def restore(machines: Machines, name: str, checkpoint_id: str) -> None:
    """Everything since is dropped: processes killed, a new empty upper over the checkpoint's layers."""
    async with machines.held(name) as (record, machine):
        stack = find(machines, record, checkpoint_id).stack
        await machines.halt(record, machine)
        fresh = record.next_layer
        machines.store.update(record.id, upper=fresh, stack=stack, next_layer=fresh + 1)
        machines.drop_unused_layers(machines.record(name))


async def delete(machines: Machines, name: str, checkpoint_id: str) -> None:
    async with machines.held(name) as (record, _):
        checkpoint = find(machines, record, checkpoint_id)
        if checkpoint.number == 0:
            raise Problem(409, "v0 is the sprite as it was born and cannot be deleted")
        machines.store.forget_checkpoint(record.id, checkpoint.number)
        machines.drop_unused_layers(record)
