"""archdsl: neural networks written as text, checked without torch, reported, drawn, and compiled into torch modules.

net = archdsl.load("resnet50", classes=10)
net.diagnostics; net.report(); net.draw("net.svg"); print(net.source())
model = net.compile()
"""

from archdsl.diagnostics.model import Diagnostic, Fix, Label
from archdsl.errors import ArchError, NotFoundError, SpecChangedWarning, SpecError, WeightsError
from archdsl.loading import load, networks, open, parse, shipped_networks  # noqa: A004
from archdsl.network import Network

__version__ = "0.1.0"

__all__ = [
    "ArchError",
    "Diagnostic",
    "Fix",
    "Label",
    "Network",
    "NotFoundError",
    "SpecChangedWarning",
    "SpecError",
    "WeightsError",
    "load",
    "networks",
    "open",
    "parse",
    "shipped_networks",
]
