"""What other libraries call the layers: their words, and what stands for them here."""

from __future__ import annotations

import re

from archdsl.syntax.tokens import shown


def _same(meant: str, *words: str) -> dict[str, str]:
    return dict.fromkeys(words, meant)


LAYERS = {
    **_same("fc", "dense", "fullyconnected"),
    **_same("conv", "convolution", "convolutional"),
    **_same("upconv", "convtranspose", "transposeconv", "transposedconv", "convt", "tconv"),
    **_same("pool", "maxpooling", "pooling"),
    **_same("avgpool", "averagepool", "averagepooling", "avgpooling", "meanpool"),
    **_same("adaptive_avgpool", "adaptiveavgpool", "adaptiveaveragepool", "adaptiveaveragepooling"),
    **_same("adaptive_maxpool", "adaptivemaxpool", "adaptivemaxpooling"),
    **_same("gap", "globalavgpool", "globalaveragepool", "globalaveragepooling", "globalpool", "globalpooling"),
    **_same("gmp", "globalmaxpool", "globalmaxpooling"),
    **_same("bn", "batchnormalization", "syncbatchnorm", "norm", "normalization"),
    **_same("layernorm", "layernormalization"),
    **_same("groupnorm", "groupnormalization"),
    **_same("instancenorm", "instancenormalization"),
    **_same("rmsnorm", "rmsnormalization"),
    **_same("lrn", "localresponsenorm", "localresponsenormalization"),
    **_same("leaky_relu", "leakyrelu", "lrelu", "leaky"),
    **_same("log_softmax", "logsoftmax"),
    **_same("hardswish", "hswish"),
    **_same("hardsigmoid", "hsigmoid"),
    **_same("dropout", "drop"),
    **_same("channel_dropout", "channeldropout", "featuredropout", "spatialdropout"),
    **_same("alpha_dropout", "alphadropout"),
    **_same("stochastic_depth", "stochasticdepth"),
    **_same("id", "identity"),
    **_same("layer_scale", "layerscale"),
    **_same("class_token", "classtoken", "clstoken"),
    **_same("position_encoding", "positionencoding", "positionalencoding"),
    **_same("attention", "multiheadattention", "selfattention"),
    **_same("window_attention", "windowattention"),
    **_same("partition_attention", "partitionattention"),
    **_same("cat", "concatenate", "merge", "join"),
    **_same("add", "plus"),
    **_same("sub", "subtract", "minus"),
    **_same("mul", "multiply", "times"),
    **_same("div", "divide"),
    **_same("mean", "average"),
    **_same("upsample", "upsampling", "resize", "up"),
    **_same("pad", "padding", "zeropad", "zeropadding", "constantpad"),
    **_same("crop", "cropping"),
    **_same("reshape", "view"),
    **_same("to_tokens", "totokens"),
    **_same("to_map", "tomap"),
    **_same("shuffle", "channelshuffle"),
    **_same("pixel_shuffle", "pixelshuffle", "depthtospace"),
    **_same("pixel_unshuffle", "pixelunshuffle", "spacetodepth"),
}
"""Plain words of other libraries, each with the layer that it stands for."""

_DEPTHWISE = "a depthwise convolution has as many groups as channels: on 32, `conv 32 k3 p1 g=32`"
_SEPARABLE = "a separable convolution is two: from 32 channels to 64, `conv 32 k3 p1 g=32 -> conv 64`"
_RESIDUAL = "a residual connection is two branches and their sum: on 32 channels, `( conv 32 k3 p1 -> bn | id ) -> add`"
_EXCITATION = (
    "to weigh channels is a branch and a product: on 32 channels, "
    "`( id | gap -> conv 8 -> relu -> conv 32 -> sigmoid ) -> mul`"
)
_LOSS = "a loss is no part of a network: it stands where the module is trained"

FORMS = {
    **_same(_DEPTHWISE, "depthwise", "depthwiseconv", "dwconv", "convdw"),
    **_same(_SEPARABLE, "separable", "separableconv", "depthwiseseparableconv", "sepconv"),
    **{
        word: f"how it enlarges is an option: `upsample 2 mode={word}`" for word in ("bilinear", "bicubic", "trilinear")
    },
    "upsamplingbilinear": "how it enlarges is an option: `upsample 2 mode=bilinear`",
    "upsamplingnearest": "it is `upsample 2`",
    "reflectionpad": "how it pads is an option: `pad 1 mode=reflect`",
    "replicationpad": "how it pads is an option: `pad 1 mode=replicate`",
    **_same(
        "there are no recurrent layers; along a sequence, `conv` and `attention` look",
        *("rnn", "lstm", "gru", "simplernn", "bilstm", "rnncell", "lstmcell", "grucell", "bidirectional"),
    ),
    **_same("an activation is an element of its own: `relu`", "activation", "nonlinearity", "act", "nonlin"),
    **_same(
        "a transposed convolution is `upconv`; axes are moved by `to_tokens`, `to_map` and `reshape`",
        *("transpose", "permute", "swapaxes", "moveaxis", "rearrange"),
    ),
    "repeat": "a repeat is written behind what it repeats: `x3`",
    "print": "nothing prints here; `archdsl report FILE` shows what each layer gives",
    **_same("elements are put one behind the other with `->`", "sequential", "modulelist"),
    **_same(_RESIDUAL, "residual", "residualblock", "resblock", "skipconnection", "shortcut"),
    **_same(_EXCITATION, "seblock", "selayer", "squeezeexcite", "squeezeexcitation", "squeezeandexcitation"),
    **_same("it is linear layers with an activation between them: `fc`, `gelu`, `fc`", "mlp", "ffn", "feedforward"),
    **_same("values are joined along an axis that is there: `cat`", "stack", "vstack", "hstack", "dstack"),
    **_same("axes of size 1 come and go by `reshape`", "unsqueeze", "squeeze", "expanddims"),
    **_same(_LOSS, "loss", "crossentropy", "crossentropyloss", "mse", "mseloss", "bceloss", "nllloss"),
}
"""Plain words of other libraries that are no one layer here, each with how that is written."""

MODULES = frozenset({"nn", "torch", "tf", "keras", "layers", "np", "F"})
"""Where other libraries keep their layers, written before a layer with a point."""


_RANK = re.compile(r"(?<=.)[123]d(?![0-9])")
_OF_A_RANK = frozenset({"dropout1d", "dropout2d", "dropout3d"})
"""Words with a number of axes that are words of layers here."""


def alone(module: str) -> str:
    """The help for a layer with a module of another library before it."""
    return f"a layer is its word alone: leave the `{module}.` out"


def plain(word: str) -> str:
    """A layer's word as all libraries may spell it: small, in one piece, without the number of axes."""
    small = word.lower().replace("_", "")
    return _RANK.sub("", small)


def small(word: str) -> str:
    """The help for a word with capitals that other libraries write so: what it is called here."""
    if form := FORMS.get(plain(word)):
        return form
    lower = word.lower()
    has_rank = lower not in _OF_A_RANK and _RANK.search(lower) is not None
    rank = ", and the rank follows the map" if has_rank else ""
    known = LAYERS.get(plain(lower)) if lower not in _OF_A_RANK else None
    if known is None or known.replace("_", "") == plain(lower):
        return f"names are written small{rank}: `{shown(known or (plain(lower) if has_rank else lower))}`"
    return f"names are written small{rank}; this one is `{known}`"
