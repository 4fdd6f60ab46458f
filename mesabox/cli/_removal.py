"""Removing what runs left, with the services each was made with, and saying what went."""

from dataclasses import dataclass, field

from mesabox.errors import Failed, MesaboxError, NotFound
from mesabox.flow import leftovers
from mesabox.flow.leftovers import Leftover
from mesabox.flow.record.runs import Resource
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result


@dataclass(slots=True)
class Removal:
    board: Switchboard
    removed: list[Resource] = field(default_factory=list)
    gone: list[Resource] = field(default_factory=list)
    failed: list[tuple[Resource, MesaboxError]] = field(default_factory=list)

    async def remove(self, found: list[Leftover]) -> None:
        """Runs of the local engine are undone there, whatever answers now."""
        for engine in dict.fromkeys(leftover.where.engine for leftover in found):
            group = [leftover for leftover in found if leftover.where.engine == engine]
            async with self._board_of(engine).services() as services:
                for leftover in group:
                    if (elsewhere := leftovers.unreachable(leftover, services.flow.where)) is not None:
                        self.failed += [(resource, elsewhere) for resource in leftover.resources]
                        continue
                    undone = await leftovers.remove(services.flow, leftover)
                    self.removed += undone.removed
                    self.gone += undone.gone
                    self.failed += undone.failed

    def _board_of(self, engine: str) -> Switchboard:
        """The one that answers anyway, where it is that engine."""
        try:
            answers = self.board.choice().name == engine
        except MesaboxError:
            answers = False
        return self.board if answers else self.board.with_settings(engine=engine)

    async def destroy_unrecorded(self, sprites: list[str]) -> None:
        """Sprites named by hand that no record knows, or that were there before."""
        handled = {resource.name for resource in (*self.removed, *self.gone) if resource.kind == "sprite"}
        wanted = [name for name in sprites if name not in handled]
        if not wanted:
            return
        async with self.board.services() as services:
            for name in wanted:
                try:
                    await services.sandboxes.destroy_sprite(name)
                except NotFound:
                    continue
                self.removed.append(Resource("sprite", name))

    def result(self, nothing: str) -> Result:
        names = [f"{resource.kind} {resource.name}" for resource in self.removed]
        gone = [f"{resource.kind} {resource.name}" for resource in self.gone]
        failed = [{"kind": r.kind, "name": r.name, "why": str(error)} for r, error in self.failed]
        return Result(
            data={"removed": names, "gone": gone, "failed": failed},
            view=["".join(f"removed {name}\n" for name in names)] if names else [],
            quiet=names,
            notes=[f"gone already: {name}" for name in gone] or ([] if names or failed else [nothing]),
            exit_code=1 if failed else 0,
            error=self._error(),
        )

    def _error(self) -> MesaboxError | None:
        if not self.failed:
            return None
        first = self.failed[0][1]
        names = ", ".join(f"{resource.kind} {resource.name}" for resource, _ in self.failed)
        fix = first.fix or "mesabox gc tries again"
        return Failed(f"could not remove {names}", why=str(first), fix=fix, code="not_removed", retryable=True)
