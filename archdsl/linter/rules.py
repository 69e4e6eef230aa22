"""The rules: an explicit table. Each has a page, `pages/SLUG.md`, which says what it finds, and why."""

from __future__ import annotations

from archdsl.linter.linearity import linear_after_linear, softmax_output
from archdsl.linter.model import Rule
from archdsl.linter.norms import bias_before_norm, dropout_before_norm, norm_of_one_position
from archdsl.linter.sight import misaligned_merge, saturated_field, small_field
from archdsl.linter.sizes import channel_order, heavy_flatten, narrow_depthwise, tensor_core_channels
from archdsl.linter.taps import checkerboard, unused_taps
from archdsl.linter.windows import dropped_pixels, stride_over_kernel

RULES = (
    Rule("bias-before-norm", bias_before_norm, fix="safe"),
    Rule("channel-order", channel_order, fix="unsafe"),
    Rule("checkerboard", checkerboard),
    Rule("dropout-before-norm", dropout_before_norm),
    Rule("dropped-pixels", dropped_pixels),
    Rule("heavy-flatten", heavy_flatten),
    Rule("linear-after-linear", linear_after_linear),
    Rule("misaligned-merge", misaligned_merge),
    Rule("narrow-depthwise", narrow_depthwise),
    Rule("norm-of-one-position", norm_of_one_position),
    Rule("saturated-field", saturated_field),
    Rule("small-field", small_field),
    Rule("softmax-output", softmax_output, fix="unsafe"),
    Rule("stride-over-kernel", stride_over_kernel),
    Rule("tensor-core-channels", tensor_core_channels),
    Rule("unused-taps", unused_taps),
    Rule("bad-switch", None),
    Rule("unused-switch", None, fix="safe"),
)
"""Those without a function are about the comments that switch rules off."""

SLUGS = tuple(rule.slug for rule in RULES)
BY_SLUG = {rule.slug: rule for rule in RULES}
DEFAULT = frozenset(rule.slug for rule in RULES if rule.default)
