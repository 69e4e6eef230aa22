"""`python -m tests.torchvision.weights`: what specs/weights.json says otherwise than torchvision, if anything.

`--write` takes the file from torchvision anew: the pretrained weights of every network that ships under its name.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import zip_longest
from typing import Any

from torch.hub import HASH_REGEX

import archdsl
from archdsl.resources import specs_folder
from archdsl.torch.vision import import_torchvision
from archdsl.weights import Preprocessing, Weights, known, version

VERSION = import_torchvision().__version__.partition("+")[0]

from torchvision import models  # noqa: E402

EPS = {models.get_weight(f"{kind}_ResNet50_FPN_Weights.COCO_V1").url: 0.0 for kind in ("FasterRCNN", "RetinaNet")}
"""The weights with which torchvision sets the epsilon of frozen normalizations; its code does, not its metadata."""

Table = Mapping[str, tuple[Weights, ...]]

PATH = specs_folder() / "weights.json"
NAMES = tuple(sorted(set(models.list_models()) & set(archdsl.shipped_networks())))
"""The networks that torchvision has and that ship here."""
SOURCE = {"package": "torchvision", "url": "https://github.com/pytorch/vision", "license": "BSD-3-Clause"}


# ---------------------------------------------------------------- torchvision's


@cache
def theirs(name: str) -> tuple[Weights, ...]:
    """What torchvision says of each of its weights for a network."""
    enum = models.get_model_weights(name)
    return tuple(described(each, each is enum["DEFAULT"]) for each in enum)


def described(weights: Any, default: bool) -> Weights:
    """One of torchvision's entries as ours. It says "nan" for what was not measured, which here is left out."""
    meta = weights.meta
    ((dataset, metrics),) = meta["_metrics"].items()
    hash = HASH_REGEX.search(weights.url.rpartition("/")[2])
    return Weights(
        name=weights.name,
        url=weights.url,
        parameters=meta["num_params"],
        dataset=dataset,
        metrics={key: value for key, value in metrics.items() if not math.isnan(value)},
        preprocessing=preprocessing(weights.transforms()),
        classes=len(meta["categories"]) if meta["categories"] is not None else None,
        hash=hash[1] if hash else None,
        min_size=tuple(meta["min_size"]) if "min_size" in meta else None,
        min_frames=meta.get("min_temporal_size"),
        eps=EPS.get(weights.url),
        license=meta.get("license"),
        default=default,
    )


def preprocessing(transforms: Any) -> Preprocessing:
    """What torchvision does with an image. Of a video it does not say that it is not smoothed: its code does."""
    kind = type(transforms).__name__
    said = {field: getattr(transforms, field, None) for field in Preprocessing._fields if field != "kind"}
    if said["interpolation"] is not None:
        said["interpolation"] = said["interpolation"].value
    if kind == "VideoClassification":
        said["antialias"] = False
    frozen: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in said.items()}
    return Preprocessing(kind, **frozen)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the file


def render(table: Table, version: str) -> str:
    """The file for these networks, of this version of torchvision: two lines for each of their weights."""
    source = json.dumps({**SOURCE, "version": version})
    networks = [
        f"    {json.dumps(name)}: [\n" + ",\n".join(map(entry, table[name])) + "\n    ]" for name in sorted(table)
    ]
    inner = ",\n".join(networks)
    return f'{{\n  "source": {source},\n  "networks": {{\n{inner}\n  }}\n}}\n'


def entry(weights: Weights) -> str:
    """The lines of one; what it does not have is not written."""
    facts = {key: each for key, each in weights._asdict().items() if each is not None and each is not False}
    last = json.dumps({key: each for key, each in facts.pop("preprocessing")._asdict().items() if each is not None})
    return f'      {json.dumps(facts, allow_nan=False)[:-1]},\n       "preprocessing": {last}}}'


def differences(ours: Table, reference: Table, same: bool = True) -> Iterator[str]:
    """What a table says otherwise than torchvision, field by field.

    Where torchvision is not the `same` version, one may have networks and weights that the other does not, in the
    other's order but for them; what both have says the same.
    """
    names = sorted(ours.keys() | reference.keys()) if same else sorted(ours.keys() & reference.keys())
    for name in names:
        one, other = ours.get(name, ()), reference.get(name, ())
        if not same:
            both = {each.name for each in one} & {each.name for each in other}
            one, other = (tuple(each for each in side if each.name in both) for side in (one, other))
        for given, expected in zip_longest(one, other):
            if given is None or expected is None or given.name != expected.name:
                said, wanted = (each.name if each else "nothing" for each in (given, expected))
                yield f"{name}: {said} stands where torchvision has {wanted}"
                break
            yield from (
                f"{name}: {given.name}: {what} is {value!r}, torchvision's {wanted!r}"
                for what, value, wanted in fields(given, expected)
                if value != wanted
            )


def fields(given: Weights, expected: Weights) -> Iterator[tuple[str, object, object]]:
    """Every field of two entries, those of the preprocessing for themselves."""
    for one, other in ((given, expected), (given.preprocessing, expected.preprocessing)):
        yield from (
            (field, getattr(one, field), getattr(other, field)) for field in one._fields if field != "preprocessing"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torchvision.weights", description=__doc__)
    parser.add_argument("--write", action="store_true", help="take specs/weights.json from torchvision anew")
    options = parser.parse_args()
    table = {name: theirs(name) for name in NAMES}
    if options.write:
        PATH.write_text(render(table, VERSION), encoding="utf-8")
        print(f"{sum(map(len, table.values()))} weights of {len(table)} networks, torchvision {VERSION}")
        return 0
    found = list(differences({name: known(name) for name in NAMES}, table, version() == VERSION))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
