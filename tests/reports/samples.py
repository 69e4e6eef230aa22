"""Reports built by hand, whose sums a reader can check."""

from __future__ import annotations

from dataclasses import replace

from archdsl.reports.schema import Extents, FieldReport, LayerReport, ModuleReport, Port, Report, Totals

HOSTILE = "<script>alert('x')</script> | 100% \\input{/etc/passwd} ${HOME} `id` _a_ [b](c)\x1b[31m \u202e @all"


def layer(
    path: str,
    text: str,
    output: Extents,
    parameters: int = 0,
    macs: int | None = 0,
    *,
    field: tuple[int, int] | None = None,
    reused: bool = False,
    everywhere: str | None = None,
    inputs: tuple[str, ...] = (),
) -> LayerReport:
    """A layer; `field` is its size and stride, the same along both axes."""
    region = field and FieldReport(size=(field[0],) * 2, stride=(field[1],) * 2, padding=(field[0] // 2,) * 2)
    return LayerReport(
        path=path,
        layer=text.split()[0],
        text=text,
        inputs=inputs,
        output=output,
        outputs=(),
        parameters=0 if reused else parameters,
        buffers=0,
        macs=macs,
        field=region or None,
        everywhere=everywhere,
        line=1,
        file="sample.arch",
        reused=reused,
    )


def report(
    name: str, layers: list[LayerReport], modules: dict[str, str] | None = None, *, doc: str = "", batch: int = 1
) -> Report:
    """A report over `layers`; `modules` gives each module's call by its path, "" for a group."""
    totals = sum(one.parameters for one in layers)
    macs = None if any(one.macs is None for one in layers) else sum(one.macs or 0 for one in layers)
    return Report(
        network=name,
        doc=doc,
        file="sample.arch",
        batch=batch,
        inputs=(Port(name="image", kind="map", shape=(3, 224, 224)),),
        outputs=(Port(name="fc", kind="vector", shape=layers[-1].output),),
        totals=Totals(
            layers=len(layers),
            parameters=totals,
            trainable=totals,
            buffers=960,
            macs=macs,
            flops=None if macs is None else 2 * macs,
            bytes={"float32": 4 * totals, "float16": 2 * totals, "float64": 8 * totals},
        ),
        layers=tuple(layers),
        modules=tuple(
            _module(path, call, layers, numbers)
            for path, call in {"": name, **(modules or {})}.items()
            for numbers in _uses(path, layers)
        ),
    )


def _uses(path: str, layers: list[LayerReport]) -> list[tuple[int, ...]]:
    """The layers in a module, for each use of it: a shared one begins again with its first."""
    uses: list[tuple[int, ...]] = []
    for number, one in enumerate(layers):
        if path and not one.path.startswith(path + "."):
            continue
        if uses and not (path and one.reused and one.path == layers[uses[0][0]].path):
            uses[-1] += (number,)
        else:
            uses.append((number,))
    return uses


def _module(path: str, call: str, layers: list[LayerReport], numbers: tuple[int, ...]) -> ModuleReport:
    macs = [layers[number].macs for number in numbers]
    return ModuleReport(
        path=path,
        kind="net" if not path else "block" if call else "group",
        definition=call.partition("(")[0],
        call=call or path,
        parent=path.rpartition(".")[0] if path else None,
        layers=numbers,
        output=layers[numbers[-1]].output,
        parameters=sum(layers[number].parameters for number in numbers),
        macs=None if None in macs else sum(filter(None, macs)),
    )


def small_resnet() -> Report:
    """A stem, a numbered group of three equal residual blocks, one that downsamples, and a head."""
    layers = [
        layer("conv1", "conv 64 k7 s2 p3", (64, 112, 112), 9408, 118_013_952, field=(7, 2)),
        layer("bn1", "bn", (64, 112, 112), 128, field=(7, 2)),
        layer("relu1", "relu", (64, 112, 112), field=(7, 2)),
        layer("pool1", "pool 3 s2 p1", (64, 56, 56), field=(11, 4)),
    ]
    modules = {"layer1": ""}
    size = 11
    for unit in range(3):
        modules[f"layer1.{unit}"] = "basic(64)"
        layers += basic(f"layer1.{unit}", 64, 56, size, 4)
        size += 16
    modules |= {"layer2": "", "layer2.0": "basic(128, s=2)", "layer2.0.downsample": ""}
    layers += basic("layer2.0", 128, 28, size, 8, before=64)
    layers += [
        layer("gap1", "gap", (128, 1, 1), field=(283, 8), everywhere="gap1"),
        layer("flatten1", "flatten", (128,), everywhere="gap1"),
        layer("fc", "fc 10", (10,), 1290, 1280, everywhere="gap1"),
    ]
    return report("small_resnet", layers, modules, doc="Residual learning in small.\n\nAfter He et al., 2015.")


def basic(path: str, channels: int, size: int, field: int, stride: int, before: int | None = None) -> list[LayerReport]:
    """The basic block; with `before`, the input channels of one that changes them."""
    came, area, shape = before or channels, size * size, (channels, size, size)

    def conv(name: str, incoming: int, kernel: int, seen: int, text: str) -> LayerReport:
        learned = incoming * channels * kernel * kernel
        return layer(f"{path}.{name}", text, shape, learned, learned * area, field=(seen, stride))

    step = " s2" if before else ""
    layers = [
        conv("conv1", came, 3, field + 8, f"conv {channels} k3{step} p1"),
        layer(f"{path}.bn1", "bn", shape, 2 * channels, field=(field + 8, stride)),
        layer(f"{path}.relu1", "relu", shape, field=(field + 8, stride)),
        conv("conv2", channels, 3, field + 16, f"conv {channels} k3 p1"),
        layer(f"{path}.bn2", "bn", shape, 2 * channels, field=(field + 16, stride)),
    ]
    if before:
        layers.append(conv("downsample.0", came, 1, field, f"conv {channels} k1 s2"))
        layers.append(layer(f"{path}.downsample.1", "bn", shape, 2 * channels, field=(field, stride)))
    layers.append(layer(f"{path}.add1", "add", shape, field=(field + 16, stride)))
    layers.append(layer(f"{path}.relu2", "relu", shape, field=(field + 16, stride)))
    return layers


def siamese() -> Report:
    """One encoder used twice, and three times the same layer in a row."""
    first = [
        layer("encoder.conv1", "conv 8 k3", (8, 30, 30), 80, 64_800, field=(3, 1)),
        layer("encoder.relu1", "relu", (8, 30, 30), field=(3, 1)),
    ]
    again = [replace(one, reused=True, parameters=0) for one in first]
    rest = [
        layer("sub1", "sub", (8, 30, 30), field=(3, 1)),
        *(layer(f"conv{n}", "conv 8 k3 p1", (8, 30, 30), 584, 518_400, field=(3 + 2 * n, 1)) for n in (1, 2, 3)),
        layer("fc1", "fc 1", (1,), 7201, 7200, everywhere="fc1"),
    ]
    return report("siamese", [*first, *again, *rest], {"encoder": "trunk(8)"})


def open_sizes() -> Report:
    """A network for any height and width, whose costs are not known."""
    return report(
        "anything",
        [
            replace(
                layer("conv1", "conv 64 k1x7", (64, "H", "floor(W/2)"), 1408, None),
                field=FieldReport(size=(1, 7), stride=(1, 1), padding=(0, 3)),
            ),
            layer("relu1", "relu", (64, "H", "?"), 0, 0, field=(7, 1)),
        ],
    )


def hostile() -> Report:
    """Names and texts that would run, or break the page, in some format."""
    layers = [
        layer("block.conv1", f"conv {HOSTILE}", (1, HOSTILE), 10, 100, field=(3, 1)),
        layer("=cmd()", "=cmd|' /C calc'!A0", (1,), 5, 50, everywhere=HOSTILE, inputs=("@SUM(A1)",)),
        layer("[1mm]", "*", (1,), 5, 50),
    ]
    return report(HOSTILE, layers, {"block": HOSTILE}, doc=HOSTILE + "\nand & more")
