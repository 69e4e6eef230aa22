"""Seeing what a network learned: feature maps, filters, Grad-CAM, activation maximization, attribution."""

from archdsl.torch.seeing.attributing import METHODS, Attribution
from archdsl.torch.seeing.cam import ClassMap
from archdsl.torch.seeing.feature_maps import Features
from archdsl.torch.seeing.filters import Filters
from archdsl.torch.seeing.maximizing import Maximized
from archdsl.torch.seeing.seer import Seeing

__all__ = ["METHODS", "Attribution", "ClassMap", "Features", "Filters", "Maximized", "Seeing"]
