"""Findings and what is known of their codes; each renderer is a module of its own, imported where it is used."""

from archdsl.diagnostics.model import Diagnostic, Fix, Label, Severity, error, in_order, nearest, warning

__all__ = ["Diagnostic", "Fix", "Label", "Severity", "error", "in_order", "nearest", "warning"]
