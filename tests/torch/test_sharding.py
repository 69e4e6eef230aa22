"""A network spread over a group of processes: of one here, and of two."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from archdsl import ArchError, load
from tests.torch.small import images, small

HOWS = ({}, {"checkpoint": True}, {"dtype": "autocast"})


def trained(module: nn.Module) -> dict[str, Tensor]:
    """The whole state after two steps of SGD."""
    torch.manual_seed(3)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        module(images()).square().mean().backward()
        optimizer.step()
    state = module.state_dict()
    return {key: (each.full_tensor() if isinstance(each, DTensor) else each).detach() for key, each in state.items()}


def differing(mesh: DeviceMesh) -> list[str]:
    """The tensors that sharded and whole networks do not train alike, in each of some modes."""
    found = []
    start = small().compile()
    for how in HOWS:
        whole, sharded = small().compile(start, **how), small().compile(start, **how)  # type: ignore[arg-type]
        assert small().shard(sharded, mesh) is sharded
        assert all(isinstance(parameter, DTensor) for parameter in sharded.parameters())
        expected, ours = trained(whole), trained(sharded)
        assert list(ours) == list(expected)
        found += [f"{how}: {key}" for key in ours if not torch.allclose(ours[key], expected[key], atol=1e-6)]
    return found


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[DeviceMesh]:
    """A group of this process alone."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    distributed.destroy_process_group()


def test_a_sharded_network_trains_as_a_whole_one(mesh: DeviceMesh) -> None:
    assert differing(mesh) == []


def test_each_unit_is_sharded_and_the_network(mesh: DeviceMesh) -> None:
    net = small()
    module = net.shard(net.compile(), mesh)
    found = [name for name, part in module.named_modules() if isinstance(part, FSDPModule)]
    assert sorted(found) == sorted(["", *net.units])


@pytest.mark.parametrize("again", [True, False])
def test_options_are_those_of_torch(mesh: DeviceMesh, again: bool) -> None:
    module = small().shard(small().compile(), mesh, reshard_after_forward=again)
    module(images())
    assert isinstance(module.unit1.conv1.weight, DTensor) is again


def test_what_cannot_be_sharded_is_an_error_that_says_why(mesh: DeviceMesh) -> None:
    net = small()
    with pytest.raises(ArchError, match="not of this network"):
        net.shard(load("resnet18").compile(weights=False), mesh)
    with pytest.raises(ArchError, match="a compiled module cannot be sharded"):
        net.shard(net.compile(mode="default"), mesh)
    with pytest.raises(ArchError, match="sharded already"):
        net.shard(net.shard(net.compile(), mesh), mesh)


def test_without_a_group_of_processes_the_error_says_how_to_make_one() -> None:
    with pytest.raises(ArchError, match="torchrun"):
        small().shard(small().compile())


def _in_a_process(rank: int, folder: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    Path(folder, f"{rank}.txt").write_text("\n".join(differing(init_device_mesh("cpu", (2,)))))
    distributed.destroy_process_group()


def test_two_processes_hold_a_half_each_and_train_alike(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_in_a_process, (str(tmp_path),), nprocs=2)
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in range(2)] == ["", ""]
