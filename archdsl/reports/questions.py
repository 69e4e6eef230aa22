"""What a contract may ask of the finished network: `expect peak_memory(batch=32, train) <= 8GiB`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from archdsl.elaborate.values import OPEN, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archdsl.analyses.cost import Rule, Work
    from archdsl.graph import Graph
    from archdsl.lowering.modules import Plan

_ASKED = 16
"""To follow a run takes so many steps for each layer."""

_Words = dict[str, tuple[str, ...] | None]


class Questions:
    """The questions that a network answers, by the name that a contract writes."""

    names: Final = ("peak_memory", "operations", "bytes_moved", "intensity", "seconds")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, name: str) -> Question | None:
        if name not in self.names:
            return None
        if name == "peak_memory":
            return self.made(name, self.memory_words(), self.peak_memory)
        from archdsl.analyses.cost import RULES
        from archdsl.analyses.devices import DTYPES, devices

        words: _Words = {"batch": None}
        if name in ("operations", "intensity"):
            words["rule"] = tuple(RULES)
        if name != "operations":
            words["dtype"] = tuple(DTYPES)
        if name == "seconds":
            words["device"] = tuple(each.replace("-", "_") for each in devices())
            return self.made(name, words, self.seconds, ("device",))
        return self.made(name, words, getattr(self, name))

    def made(
        self,
        name: str,
        words: Mapping[str, tuple[str, ...] | None],
        answer: Callable[..., tuple[Any, tuple[str, ...]]],
        required: tuple[str, ...] = (),
    ) -> Question:
        def asked(**given: Any) -> tuple[Any, tuple[str, ...]]:
            return answer(**given) if self.graph.is_closed else (OPEN, ())

        return Question(name, words, asked, _ASKED * len(self.graph.nodes), required)

    # ------------------------------------------------------------ memory

    @cached_property
    def plan(self) -> Plan:
        from archdsl.lowering.modules import planned

        return planned(self.graph)

    def memory_words(self) -> _Words:
        from archdsl.lowering.memory import ITEM_BYTES, OPTIMIZERS

        return {
            "batch": None,
            "run": ("inference", "train"),
            "dtype": tuple(ITEM_BYTES),
            "optimizer": tuple(OPTIMIZERS),
            "device": ("cuda", "cpu"),
        }

    def peak_memory(self, batch: int = 1, run: str = "inference", **given: Any) -> tuple[Any, tuple[str, ...]]:
        """The most bytes that a run holds at once, and when."""
        from archdsl.lowering.memory import inference, training
        from archdsl.reports.numbers import binary_bytes

        if run == "inference":
            given.pop("optimizer", None)
        timeline = training(self.plan, **given) if run == "train" else inference(self.plan, **given)
        most, peak = timeline.at(batch), timeline.peak(batch)
        where = f"at {self.graph.nodes[most.node].path}" if most.node >= 0 else "while the optimizer steps"
        back = ", on the way back" if most.phase == "backward" else ""
        return peak, (f"{binary_bytes(peak)}, {where}{back}",)

    # ------------------------------------------------------------ cost

    def operations(self, batch: int = 1, rule: str = "torchvision") -> tuple[Any, tuple[str, ...]]:
        """The floating-point operations of a forward pass."""
        from archdsl.analyses.cost import RULES

        return _sum([work.flops for work in self.works(RULES[rule], batch, "float32")]), (RULES[rule].text,)

    def bytes_moved(self, batch: int = 1, dtype: str = "float32") -> tuple[Any, tuple[str, ...]]:
        """What the layers of a forward pass read and write."""
        from archdsl.analyses.cost import RULES

        return _sum([work.bytes for work in self.works(RULES["torchvision"], batch, dtype)]), ()

    def intensity(
        self, batch: int = 1, dtype: str = "float32", rule: str = "torchvision"
    ) -> tuple[Any, tuple[str, ...]]:
        """Operations for each byte moved, over the whole forward pass."""
        from archdsl.analyses.cost import RULES

        works = self.works(RULES[rule], batch, dtype)
        flops, moved = _sum([work.flops for work in works]), _sum([work.bytes for work in works])
        return (OPEN if flops is OPEN or moved is OPEN else flops / max(moved, 1)), ()

    def seconds(self, device: str, batch: int = 1, dtype: str = "float32") -> tuple[Any, tuple[str, ...]]:
        """The least time of a forward pass by the roofline of a device."""
        from archdsl.analyses.cost import RULES, Roof
        from archdsl.analyses.devices import devices

        machine = devices()[device.replace("_", "-")]
        roof = Roof(machine.rate(dtype), machine.bandwidth)
        whole = _sum([roof.seconds(work) for work in self.works(RULES["torchvision"], batch, dtype)])
        return whole, () if whole is OPEN else (f"{1000 * whole:.3g} ms at the roof of {machine.title}",)

    def works(self, rule: Rule, batch: int, dtype: str) -> tuple[Work, ...]:
        from archdsl.analyses.cost import works
        from archdsl.analyses.devices import DTYPES

        return works(self.graph, rule, batch, DTYPES[dtype])


def _sum(numbers: list[Any]) -> Any:
    return OPEN if None in numbers else sum(numbers)
