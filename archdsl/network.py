"""Network: one object with every phase, each computed once and on demand.

The library, the command line, notebooks and editors all use this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archdsl import limits
from archdsl.analyses.contracts import contracts, impossible
from archdsl.analyses.counts import counts, total
from archdsl.analyses.fields import Field, fields
from archdsl.analyses.training import frozen
from archdsl.collector import make_room, paused
from archdsl.diagnostics.model import Diagnostic, in_order
from archdsl.elaborate.elaborator import Elaboration, elaborate
from archdsl.errors import ArchError, NotFoundError, SpecError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh

    from archdsl.analyses.devices import Device
    from archdsl.analyses.inside import Frozen
    from archdsl.analyses.sizes import AxisSizes
    from archdsl.analyses.stages import StagePlan
    from archdsl.analyses.transfer import Plan
    from archdsl.elaborate.values import Question
    from archdsl.graph import Graph, Value
    from archdsl.layers.applied import Counts
    from archdsl.layers.catalog import Catalog
    from archdsl.layers.tensor import Tensor
    from archdsl.linter.lint import Looked
    from archdsl.linter.model import Options
    from archdsl.lowering.modes import Settings
    from archdsl.lowering.program import Program
    from archdsl.project import Module
    from archdsl.reports.cost import Cost
    from archdsl.reports.counting import RuleComparison
    from archdsl.reports.difference import Difference
    from archdsl.reports.memory import MemoryReport
    from archdsl.reports.schema import Report
    from archdsl.reports.sizes import SizesReport
    from archdsl.reports.units import LayerField
    from archdsl.torch.exporting import Exported
    from archdsl.torch.preprocessing import Transforms
    from archdsl.torch.seeing import Seeing


_UNREADABLE = frozenset({"unclosed", "unopened", "too-deep", "too-large"})


class Network:
    """A network of a spec, with what is known of it.

    Making one never fails for what the spec says: `diagnostics` has the findings. What needs a network without errors
    (`report`, `draw`, `source`, `compile`) raises `SpecError` with them.
    """

    def __init__(
        self,
        module: Module,
        name: str,
        catalog: Catalog,
        arguments: Mapping[str, object] | None = None,
        inputs: Mapping[str, Tensor] | None = None,
        number: int | None = None,
    ) -> None:
        self.module = module
        self.name = name
        self.catalog = catalog
        self.arguments = dict(arguments or {})
        self.inputs = dict(inputs or {})
        self.number = number
        """Of the stage of its recipe that it is in; None before the first."""
        if (saved := module.saved) is not None and saved.network == name:  # out of a file of weights
            self.arguments = {**saved.arguments, **self.arguments}
            self.inputs = self.inputs or dict(saved.inputs)

    # ------------------------------------------------------------ phases

    @cached_property
    def elaboration(self) -> Elaboration:
        make_room()
        with paused():
            return elaborate(self.module, self.name, self.catalog, self.arguments, self.inputs)

    @cached_property
    def graph(self) -> Graph:
        """The network written out; of one with errors, as far as it goes."""
        graph = self.elaboration.graph
        return graph if self.number is None else replace(graph, stage=self.number)

    @property
    def steps(self) -> int:
        """How much work it was to write the network out; see `archdsl.limits.STEPS`."""
        return limits.NETWORK_STEPS + self.elaboration.walker.builder.steps

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The receptive field of each node."""
        with paused():
            return fields(self.graph)

    @cached_property
    def counts(self) -> tuple[Counts, ...]:
        """Parameters, buffers and multiply-accumulates of each node."""
        with paused():
            return counts(self.graph)

    @cached_property
    def frozen(self) -> Frozen:
        """What does not train: parts of the networks inside it, and what the stage that it is in leaves out."""
        return frozen(self.graph)

    @cached_property
    def totals(self) -> Counts:
        known = self.counts
        with paused():
            return total(known)

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every finding, in the order of the text. Where brackets do not match, nothing else can be said for sure."""
        if any(finding.code in _UNREADABLE for finding in self.module.diagnostics):
            return in_order(self.module.diagnostics)
        found = [*self.module.diagnostics, *self.elaboration.diagnostics]
        if not any(finding.is_error for finding in found):
            found += impossible(self.graph, self.open_axes)
            if self.graph.backbones:
                from archdsl.analyses import pretrained

                found += pretrained.problems(self.graph)
            if self.graph.preprocess is not None:
                from archdsl.analyses import mismatches

                found += mismatches.impossible(self.graph, self.graph.preprocess, bool(self.inputs))
            if self.graph.recipe is not None:
                from archdsl.analyses import stages

                found += islice(stages.problems(self.graph), limits.PROBLEMS)
            if self.elaboration.expectations:
                found += contracts(self.elaboration, self.counts, self.fields, lambda name: self._questions(name))
            if self.graph.backbones and not any(finding.is_error for finding in found):
                from archdsl.analyses import mismatches

                found += islice(mismatches.differences(self.graph), limits.PROBLEMS)
        return in_order(found)

    @cached_property
    def _questions(self) -> Callable[[str], Question | None]:
        from archdsl.reports.questions import Questions

        return Questions(self.graph)

    @cached_property
    def open_axes(self) -> tuple[AxisSizes, ...]:
        """Which sizes the network takes along each axis that is open; of one that is not decided, nothing."""
        if self.graph.is_closed:
            return ()
        from archdsl.analyses.sizes import open_axes

        with paused():
            return open_axes(self.graph)

    @property
    def ok(self) -> bool:
        """Whether the network has no errors; warnings are allowed."""
        return not any(finding.is_error for finding in self.diagnostics)

    def checked(self) -> Network:
        """This network.

        Raises:
            SpecError: where it has errors.
        """
        if not self.ok:
            raise SpecError(self.diagnostics)
        return self

    def at(self, inputs: Mapping[str, Tensor]) -> Network:
        """The same network with other shapes for its inputs, by their names."""
        return Network(self.module, self.name, self.catalog, self.arguments, inputs, self.number)

    # ------------------------------------------------------------ stages of training

    @property
    def stages(self) -> tuple[StagePlan, ...]:
        """The stages of its recipe, each worked out; none without a recipe.

        Raises:
            SpecError: where the network has errors.
        """
        recipe = self.checked().graph.recipe
        return () if recipe is None else tuple([self.stage(number) for number in range(len(recipe.stages))])

    def stage(self, stage: int | str) -> StagePlan:
        """A stage of its recipe, by its number, from 0 up, or its name. It depends on nothing else.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where it has no such stage.
        """
        from archdsl.analyses.stages import plan

        recipe = self.checked().graph.recipe
        names = [] if recipe is None else [each.name for each in recipe.stages]
        if isinstance(stage, int) and 0 <= stage < len(names):
            return plan(self.graph, stage)
        if stage in names:
            return plan(self.graph, names.index(str(stage)))
        if not names:
            raise NotFoundError(f"{self.name} has no recipe; write one: `recipe {{ finetune {{ all lr=1e-4 }} }}`")
        known = f"it has {len(names)}, from 0 up: {', '.join(names)}"
        raise NotFoundError(f"{self.name} has no stage {stage}; {known}")

    def at_stage(self, stage: int | str) -> Network:
        """The same network in a stage of its recipe: what is reported and compiled is as that stage has it.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where it has no such stage.
        """
        number = self.stage(stage).number
        return Network(self.module, self.name, self.catalog, self.arguments, self.inputs, number)

    def parameter_groups(self, stage: int | str, model: nn.Module) -> list[dict[str, Any]]:
        """Puts a compiled module into a stage, and gives what an optimizer of torch takes for it.

        What the stage does not train is frozen, its statistics too; what it does, thawed. It does not matter in which
        stage the module was before.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where it has no such stage.
            ArchError: where the module is of another network.
        """
        from archdsl.torch.stages import enter

        return enter(model, self.graph, self.stage(stage))

    # ------------------------------------------------------------ what comes of it

    def report(self, batch: int = 1) -> Report:
        """Shapes, fields, parameters and multiply-accumulates of every layer, as data.

        Raises:
            SpecError: where the network has errors.
        """
        from archdsl.reports.build import build_report

        with paused():
            return build_report(self.checked(), batch)

    def cost(
        self,
        batch: int = 1,
        dtype: str = "float32",
        device: str | Path | Device | None = None,
        rule: str = "torchvision",
    ) -> Cost:
        """What a forward pass costs: operations by a rule, bytes moved, and on a device the least time.

        `device` is one of the table, a TOML file that describes one, or a `Device`.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where there is no such device.
            ArchError: where a size is open, or there is no such rule or type.
        """
        from archdsl.reports.cost import build_cost

        sound = self.checked()
        with paused():
            return build_cost(sound, batch, dtype, device, rule)

    def explain_count(self, first: str = "torchvision", second: str = "all", batch: int = 1) -> RuleComparison:
        """Why two counting rules give different numbers, by what the difference is made of.

        Raises:
            SpecError: where the network has errors.
            ArchError: where a size is open, or there is no such rule.
        """
        from archdsl.reports.counting import build_comparison

        return build_comparison(self.checked(), first, second, batch)

    def sizes(self) -> SizesReport:
        """Which sizes of its inputs the network takes, what comes out of them, and which layer asks for it.

        Of a network that its own sizes do not suit, those are found that would.

        Raises:
            SpecError: where the network has errors at other sizes too.
        """
        from archdsl.reports.sizes import build_sizes

        with paused():
            return build_sizes(self)

    def explain(self, path: str) -> str:
        """Why a layer or a module has its sizes, field, parameters and costs, with the formulas, in Markdown.

        Raises:
            NotFoundError: where the network has nothing at that path.
            SpecError: where the network has errors.
        """
        from archdsl.reports.derivation import derivation

        return derivation(self, path)

    def lint(self, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Diagnostic, ...]:
        """What the linter finds, less what comments in the spec and the nearest pyproject.toml switch off.

        `select` are the rules to ask instead of the usual ones, and `ignore` those to leave out.

        Raises:
            SpecError: where the network has errors, or pyproject.toml has.
            ArchError: where there is no such rule.
        """
        from archdsl.linter.config import config_of
        from archdsl.linter.lint import findings

        source = self.module.source
        config = config_of(source)
        if config.problems:
            raise SpecError(config.problems)
        try:
            rules = config.with_rules(select, ignore).rules(source)
        except ValueError as problem:
            raise ArchError(str(problem)) from None
        return findings([self.looked_at(rules, config.options)])

    def looked_at(self, rules: frozenset[str], options: Options) -> Looked:
        """What rules of the linter say of each node, before it is put together and comments are heeded.

        Raises:
            SpecError: where the network has errors.
        """
        from archdsl.linter.lint import look
        from archdsl.linter.model import Facts

        self.checked()
        return look(self.name, self.module, Facts(self.graph, self.fields, self.counts, options), rules)

    def diff(self, new: Network) -> Difference:
        """What changed from this network to another: layers, sums, and the tensors of a checkpoint.

        Raises:
            SpecError: where one of them has errors.
        """
        from archdsl.reports.difference import difference

        return difference(self, new)

    def field(self, path: str, at: Sequence[int] | None = None) -> LayerField:
        """What a layer sees of the input, and what one of its units does: by default the one in the middle.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where it has no such layer.
            ArchError: where the layer has no such unit.
        """
        from archdsl.reports.units import layer_field

        return layer_field(self, path, at)

    def memory(
        self,
        batch: int = 1,
        dtype: str = "float32",
        optimizer: str = "adamw",
        device: Literal["cuda", "cpu"] = "cuda",
        budget: int | None = None,
        checkpoint: bool = False,
    ) -> MemoryReport:
        """What inference and a step of training hold in memory over time, in bytes; what fits into a budget.

        With `checkpoint`, of the module that `compile(checkpoint=True)` gives.

        Raises:
            SpecError: where the network has errors.
            ArchError: where sizes are open, there is no such type, optimizer or batch, or nothing to compute again.
        """
        from archdsl.reports.memory import build_memory

        with paused():
            return build_memory(self, batch, dtype, optimizer, device, budget, checkpoint)

    def draw(self, path: str | Path, depth: int | None = None, color_by: str = "kind") -> Path:
        """Draws the network into a file: .svg, .png, .pdf or .dot.

        Raises:
            SpecError: where the network has errors.
            ValueError: for another ending.
        """
        from archdsl.diagrams.draw import draw

        return draw(self.checked(), path, depth=depth, color_by=color_by)

    @cached_property
    def program(self) -> Program:
        """The Python source with what it defines."""
        from archdsl.lowering.program import lower

        with paused():
            return lower(self.checked().graph)

    def program_for(self, settings: Settings) -> Program:
        """The Python source of a module that runs as some settings say."""
        from archdsl.lowering.modes import Settings
        from archdsl.lowering.program import lower_for

        if settings.forward == Settings():
            return self.program
        with paused():
            return lower_for(self.checked().graph, settings)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The modules that are natural to shard, to compute again or to compile one by one: blocks, by their paths.

        Raises:
            SpecError: where the network has errors.
        """
        from archdsl.lowering.units import units

        return units(self.checked().graph)

    def source(self, *, dtype: object = None, fold: bool = False, checkpoint: bool = False) -> str:
        """The Python source of the module: ordinary torch code that needs nothing else.

        The arguments are those of `compile` that change it.

        Raises:
            SpecError: where the network has errors.
            ArchError: where an argument means nothing.
        """
        from archdsl.lowering.modes import settings

        return self.program_for(settings({"dtype": dtype, "fold": fold, "checkpoint": checkpoint})).text

    def compile(
        self,
        weights: bool | nn.Module | Mapping[str, Any] = True,
        *,
        preset: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        memory_format: str | torch.memory_format | None = None,
        mode: str | None = None,
        fold: bool | None = None,
        checkpoint: bool | None = None,
    ) -> nn.Module:
        """A new torch module: what `source()` shows, executed, with the weights that the spec names and others fresh.

        Published weights come from torch's cache, or are downloaded into it. With `weights=False` all are fresh; a
        module of this network, or its `state_dict()`, gives copies of its own.

        `preset` is how it is to run, and the others say so one by one: "float32", "bfloat16", "float16" or "autocast";
        "contiguous" or "channels_last"; "eager" or a mode of `torch.compile`; whether batch norms and layer scales are
        folded into the layers before them, for inference; whether the `units` are computed again in the backward pass.

        Raises:
            SpecError: where the network has errors.
            WeightsError: where weights are not to be had, or do not fit.
            ArchError: where an argument means nothing, or there is no such device.
        """
        from archdsl.lowering.folding import folded
        from archdsl.lowering.modes import settings
        from archdsl.torch.compiled import compiled
        from archdsl.torch.modes import chosen_device

        where, fast = chosen_device(device, preset)
        given: dict[str, Any] = {"device": where, "dtype": dtype, "memory_format": memory_format, "mode": mode}
        how = settings({**given, "fold": fold, "checkpoint": checkpoint}, preset, fast)
        graph = self.checked().graph
        pairs = folded(graph, how.dtype).pairs if how.fold else ()
        folder = None if self.module.source.folder is None else Path(self.module.source.folder)
        return compiled(graph, self.program_for, weights, folder, how, pairs, _shipped_program)

    def shard(self, module: nn.Module, mesh: DeviceMesh | None = None, **options: Any) -> nn.Module:
        """The module of this network itself, spread over a group of processes: torch's FSDP2, by the `units`.

        `options` are those of `torch.distributed.fsdp.fully_shard`.

        Raises:
            SpecError: where the network has errors.
            ArchError: where there is no such group, or the module is not of this network.
        """
        from archdsl.torch.sharding import shard

        return shard(module, self.units, mesh, **options)

    def see(self, model: nn.Module | None = None) -> Seeing:
        """What a module of this network learned: its feature maps, filters, class maps and attributions, as pictures.

        Without a module, of a new one with the weights of the file it was loaded from, or those that the spec names.

        Raises:
            SpecError: where the network has errors.
            WeightsError: where the module is not of this network.
        """
        from archdsl.torch.seeing import Seeing

        return Seeing(self.checked(), self.filled() if model is None else model)

    def program_giving(self, values: Sequence[Value]) -> Program:
        """The source in evaluation, which gives some values of the graph behind the network's own outputs."""
        from archdsl.lowering.program import lower_giving

        with paused():
            return lower_giving(self.checked().graph, values)

    # ------------------------------------------------------------ in and out

    def save(self, model: nn.Module, path: str | Path) -> Path:
        """Writes the weights of a module of this network as safetensors, with the spec inside; see `archdsl.open`.

        Raises:
            SpecError: where the network has errors.
            WeightsError: where the module is not of this network.
            ArchError: where an argument of the network cannot be written as data.
        """
        from archdsl.reports.carried import carried
        from archdsl.torch.saving import save

        return save(self.program, model, Path(path), carried(self).text())

    def transfer(self, model: nn.Module, checkpoint: str | Path) -> Plan:
        """Puts what fits of a checkpoint into a module of this network, by name and shape, and says what became of all.

        Raises:
            SpecError: where the network has errors.
            WeightsError: where the checkpoint holds no weights, or nothing of them fits.
        """
        from archdsl.reports.carried import renamed
        from archdsl.torch.transfer import transfer

        return transfer(self.checked().graph, model, Path(checkpoint), renamed(self, Path(checkpoint)))

    def export(
        self,
        path: str | Path,
        model: nn.Module | None = None,
        *,
        format: str | None = None,
        batch: int | None = None,
    ) -> Exported:
        """Writes a module of this network (without one, a new one) for use elsewhere, and compares what was written.

        `format` is "onnx", "pt2" (`torch.export`), "aoti" (AOTInductor) or "hub" (a folder for the Hugging Face Hub);
        without it the name's ending decides: `.onnx`, `.pt2`, `.aoti.pt2`, and none for a folder. The batch, and the
        sizes that the spec leaves open, may be any in what is written; with `batch` it has that size.

        Raises:
            SpecError: where the network has errors.
            ArchError: where the format's library is missing, or the network cannot be written in it.
            WeightsError: where the module is not of this network.
        """
        from archdsl.reports.carried import card, carried
        from archdsl.torch.exporting import export

        text = carried(self).text()
        chosen = self.filled() if model is None else model
        return export(self, chosen, Path(path), format, batch, text, lambda: card(self))

    @property
    def is_saved(self) -> bool:
        """Whether it was loaded from a file of weights, in which it is the network."""
        return self.module.saved is not None and self.module.saved.network == self.name

    def filled(self, path: str | Path | None = None) -> nn.Module:
        """A new module in evaluation with the weights of a file; without one, those of the file it was loaded from.

        Of a network that was loaded from no file of weights, it is what `compile()` gives.

        Raises:
            WeightsError: where the file holds no weights, or others.
        """
        from archdsl.torch.saving import loaded

        saved = self.module.saved
        if path is None and not self.is_saved:
            return self.compile().eval()
        return loaded(self.program, Path(path or (saved and saved.path) or ""))

    def transforms(
        self, train: bool = False, *, augment: str | None = None, flip: float = 0.5, input: str | None = None
    ) -> Transforms:
        """What makes of an image what the network expects: for inference, or with `train` for training.

        It is a callable of `torchvision.transforms.v2`. `augment` is a further policy of training: "auto", "rand",
        "trivial" or "augmix"; `flip` how often images are mirrored there; `input` the input that is meant, of several.

        Raises:
            SpecError: where the network has errors.
            NotFoundError: where it has no such input.
            ArchError: where the input takes no images, or training needs a size that is open.
            WeightsError: where the weights are timm's and that is not installed.
        """
        from archdsl.torch.preprocessing import transforms_of

        return transforms_of(self.checked().graph, input, train, augment, flip)

    def _repr_html_(self) -> str:
        from archdsl.reports.notebook import notebook

        return notebook(self)

    def __repr__(self) -> str:
        state = "" if self.ok else f", {sum(d.is_error for d in self.diagnostics)} errors"
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"<Network {self.name}{arguments}{state}>"

    def __getstate__(self) -> dict[str, Any]:
        kept = ("module", "name", "catalog", "arguments", "inputs", "number")
        return {name: value for name, value in self.__dict__.items() if name in kept}


def _shipped_program(name: str, arguments: Mapping[str, object]) -> Program:
    """The source of a network that ships."""
    from archdsl import project
    from archdsl.layers.catalog import STANDARD

    return Network(project.open_shipped(project.shipped()[name]), name, STANDARD, arguments).program
