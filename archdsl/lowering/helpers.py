"""The classes that generated code carries, where torch.nn has none: source that needs `torch` and `nn` in scope."""

from __future__ import annotations

from typing import Final

_CHANNEL_LAYER_NORM = '''
class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization over the channels of a map, at each position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_CHANNEL_RMS_NORM = '''
class ChannelRMSNorm(nn.RMSNorm):
    """Root mean square normalization over the channels of a map, at each position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_STOCHASTIC_DEPTH = '''
class StochasticDepth(nn.Module):
    """Drops its input at random while training: for each sample (row), or for the whole batch."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return x
        rows = x.shape[0] if self.mode == "row" else 1
        shape = [rows] + [1] * (x.ndim - 1)
        keep = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1.0 - self.p)
        if self.p < 1.0:
            keep.div_(1.0 - self.p)
        return x * keep

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"
'''

_FILLED = '''
def filled(*shape: int, value: float) -> nn.Parameter:
    """A parameter that begins with one number everywhere."""
    return nn.Parameter(torch.full(shape, value))
'''

_RANDOM_NORMAL = '''
def random_normal(*shape: int, std: float) -> nn.Parameter:
    """A parameter that begins with numbers of a normal distribution."""
    return nn.Parameter(torch.empty(shape).normal_(std=std))
'''

_CHANNEL_LINEAR = '''
class ChannelLinear(nn.Linear):
    """A linear layer over the channels of a map, at each position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_CHANNEL_GELU = '''
class ChannelGELU(nn.GELU):
    """GELU of a map that lies in memory with its channels last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_PATCHES = '''
class Patches(nn.Module):
    """Joins the channels of each patch of a map, column by column; an odd map is padded at its end."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = self.size
        x = x.movedim(1, -1)
        x = nn.functional.pad(x, (0, 0, 0, -x.shape[2] % size, 0, -x.shape[1] % size))
        parts = [x[:, i::size, j::size] for j in range(size) for i in range(size)]
        return torch.cat(parts, dim=-1).movedim(-1, 1)

    def extra_repr(self) -> str:
        return f"{self.size}"
'''

_SELF_ATTENTION = '''
class SelfAttention(nn.MultiheadAttention):
    """Attention of the tokens of a sequence to each other."""

    def __init__(self, features: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__(features, heads, dropout=dropout, bias=bias, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x, x, x, need_weights=False)[0]
'''

_CROSS_ATTENTION = '''
class CrossAttention(nn.MultiheadAttention):
    """Attention of the tokens of a sequence to those of another; the values are the keys if none are given."""

    def __init__(self, features: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__(features, heads, dropout=dropout, bias=bias, batch_first=True)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x, keys, keys if values is None else values, need_weights=False)[0]
'''

_WINDOW_ATTENTION = '''
class WindowAttention(nn.Module):
    """Attention within windows of a map, shifted or not, with learned biases for the relative positions."""

    def __init__(self, features: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)
        self.make_biases()
        at = torch.arange(window)
        rows, columns = (grid.flatten() for grid in torch.meshgrid(at, at, indexing="ij"))
        down, right = (axis[:, None] - axis[None, :] + window - 1 for axis in (rows, columns))
        self.register_buffer("relative_position_index", (down * (2 * window - 1) + right).flatten())

    def make_biases(self) -> None:
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * self.window - 1) ** 2, self.heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def biases(self) -> torch.Tensor:
        """What is added to the products of the positions of a window: 1 x heads x positions x positions."""
        return self.looked_up(self.relative_position_bias_table)

    def looked_up(self, table: torch.Tensor) -> torch.Tensor:
        biases = table[self.relative_position_index].view(self.window**2, self.window**2, -1)
        return biases.permute(2, 0, 1).contiguous().unsqueeze(0)

    def bias(self) -> torch.Tensor | None:
        """What the projection to queries, keys and values adds."""
        return self.qkv.bias

    def products(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return (q * q.shape[-1] ** -0.5).matmul(k.transpose(-2, -1))

    def mask(self, x: torch.Tensor, shifts: tuple[int, int]) -> torch.Tensor:
        """For each window, which of its positions were not neighbours before the shift."""
        height, width = x.shape[1:3]
        size = self.window
        regions = x.new_zeros((height, width))
        number = 0
        for rows in ((0, -size), (-size, -shifts[0]), (-shifts[0], None)):
            for columns in ((0, -size), (-size, -shifts[1]), (-shifts[1], None)):
                regions[rows[0] : rows[1], columns[0] : columns[1]] = number
                number += 1
        regions = regions.view(height // size, size, width // size, size)
        regions = regions.permute(0, 2, 1, 3).reshape(-1, size * size)
        apart = regions.unsqueeze(1) - regions.unsqueeze(2)
        return apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        biases = self.biases()
        x = x.movedim(1, -1)
        batch, height, width, features = x.shape
        size, heads = self.window, self.heads
        x = nn.functional.pad(x, (0, 0, 0, -width % size, 0, -height % size))
        rows, columns = x.shape[1] // size, x.shape[2] // size
        shifts = (self.shift if rows > 1 else 0, self.shift if columns > 1 else 0)
        if any(shifts):
            mask = self.mask(x, shifts)
            x = x.roll((-shifts[0], -shifts[1]), dims=(1, 2))
        x = x.view(batch, rows, size, columns, size, features).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, size * size, features)
        qkv = nn.functional.linear(x, self.qkv.weight, self.bias())
        qkv = qkv.reshape(x.shape[0], size * size, 3, heads, features // heads).permute(2, 0, 3, 1, 4)
        scores = self.products(qkv[0], qkv[1]) + biases
        if any(shifts):
            scores = scores.view(batch, rows * columns, heads, size * size, size * size)
            scores = (scores + mask.unsqueeze(1).unsqueeze(0)).view(-1, heads, size * size, size * size)
        x = scores.softmax(dim=-1).matmul(qkv[2]).transpose(1, 2).reshape(x.shape[0], size * size, features)
        x = self.proj(x)
        x = x.view(batch, rows, columns, size, size, features).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * size, columns * size, features)
        if any(shifts):
            x = x.roll(shifts, dims=(1, 2))
        return x[:, :height, :width].contiguous().movedim(-1, 1)
'''

_COSINE_WINDOW_ATTENTION = '''
class CosineWindowAttention(WindowAttention):
    """Window attention by cosine similarity, with position biases from a small network (Swin Transformer V2)."""

    def __init__(self, features: int, heads: int, window: int, shift: int) -> None:
        super().__init__(features, heads, window, shift)
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones(heads, 1, 1)))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, heads, bias=False))
        nn.init.zeros_(self.qkv.bias[features : 2 * features])

    def make_biases(self) -> None:
        far = self.window - 1
        at = torch.arange(-far, far + 1, dtype=torch.float32)
        table = torch.stack(torch.meshgrid(at, at, indexing="ij"), dim=-1).unsqueeze(0) / far * 8
        self.register_buffer("relative_coords_table", table.sign() * (table.abs() + 1.0).log2() / 3.0)

    def biases(self) -> torch.Tensor:
        return 16 * self.looked_up(self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)).sigmoid()

    def bias(self) -> torch.Tensor | None:
        bias = self.qkv.bias.clone()
        bias[len(bias) // 3 : len(bias) // 3 * 2].zero_()  # keys have none
        return bias

    def products(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        cosines = nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=4.605170185988092).exp()  # the logarithm of 100
'''

_PARTITION_ATTENTION = '''
class PartitionAttention(nn.Module):
    """Attention within windows of a map, or within grids of far positions, with biases for the relative ones."""

    def __init__(self, features: int, heads: int, window: int, grid: bool = False) -> None:
        super().__init__()
        self.heads, self.window, self.grid = heads, window, grid
        self.to_qkv = nn.Linear(features, 3 * features)
        self.merge = nn.Linear(features, features)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        at = torch.arange(window)
        rows, columns = (axis.flatten() for axis in torch.meshgrid(at, at, indexing="ij"))
        down, right = (axis[:, None] - axis[None, :] + window - 1 for axis in (rows, columns))
        self.register_buffer("relative_position_index", down * (2 * window - 1) + right)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, features, height, width = x.shape
        size, heads = self.window, self.heads
        tall, wide = (height // size, width // size) if self.grid else (size, size)
        x = x.reshape(batch, features, height // tall, tall, width // wide, wide).permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(batch, -1, tall * wide, features)
        if self.grid:
            x = x.swapaxes(-2, -3).contiguous()
        groups, length = x.shape[1:3]
        q, k, v = (
            part.reshape(batch, groups, length, heads, features // heads).permute(0, 1, 3, 2, 4)
            for part in self.to_qkv(x).chunk(3, dim=-1)
        )
        scores = q @ (k * features**-0.5).transpose(-2, -1)
        biases = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        biases = biases.view(length, length, -1).permute(2, 0, 1).contiguous().unsqueeze(0)
        x = (scores + biases).softmax(dim=-1) @ v
        x = self.merge(x.permute(0, 1, 3, 2, 4).reshape(batch, groups, length, features))
        if self.grid:
            x = x.swapaxes(-2, -3)
        x = x.reshape(batch, height // tall, width // wide, tall, wide, features)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(batch, features, height, width)
'''

_POSITION_ENCODING = '''
class PositionEncoding(nn.Module):
    """The sines and cosines of each place's position along each axis, in the shape of what comes in."""

    def __init__(self, temperature: float = 10000.0, normalize: bool = False, dim: int = 1) -> None:
        super().__init__()
        self.temperature, self.normalize, self.dim = temperature, normalize, dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x.movedim(self.dim, 1).shape
        space, features = shape[2:], shape[1] // (x.dim() - 2)
        dtype = torch.promote_types(x.dtype, torch.float32)
        pair = torch.arange(features // 2, device=x.device, dtype=dtype)
        rates = self.temperature ** (-2 * pair / features)
        parts = []
        for axis, size in enumerate(space):
            at = torch.arange(size, device=x.device, dtype=dtype)
            if self.normalize:
                at = (at + 1) * (2 * torch.pi / size)
            angles = rates[:, None] * at
            waves = torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1)
            parts.append(waves[(slice(None), *(slice(None) if i == axis else None for i in range(len(space))))])
        waves = torch.cat([part.expand(features, *space) for part in parts])
        return waves.to(x.dtype).expand(shape).movedim(1, self.dim)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature:g}, normalize={self.normalize}"
'''

_KEPT_NORM = '''
class Kept{name}(nn.{name}):
    """A normalization that may keep its statistics: while they are `kept`, it runs as in evaluation."""

    kept = False

    def train(self, mode: bool = True) -> "Kept{name}":
        return super().train(mode and not self.kept)
'''

_KEEP_STATISTICS = '''
def keep_statistics(module: nn.Module) -> None:
    """Normalizations in a module keep their running statistics and use them, in training as well."""
    for norm in module.modules():
        if hasattr(norm, "kept"):
            norm.kept = True
            norm.eval()
'''

_FREEZE = '''
def freeze(*parts: nn.Module | nn.Parameter) -> None:
    """Parts of a network stay as they are: no gradients for their parameters, no new statistics."""
    for part in parts:
        part.requires_grad_(False)
        if isinstance(part, nn.Module):
            keep_statistics(part)
'''

_FREEZE_NORMS = '''
def freeze_norms(module: nn.Module) -> None:
    """Normalizations in a module stay as they are, scales and shifts included."""
    for norm in module.modules():
        if hasattr(norm, "kept"):
            freeze(norm)
'''

_TRACKING: Final = tuple([f"{kind}Norm{rank}d" for kind in ("Batch", "Instance") for rank in (1, 2, 3)])

KEPT: Final[dict[str, str]] = {f"nn.{name}": f"Kept{name}" for name in _TRACKING}
"""What takes the place of a normalization in a network that is frozen in part."""

HELPERS: Final[dict[str, str]] = {
    **{f"Kept{name}": _KEPT_NORM.format(name=name).lstrip() for name in _TRACKING},
    "keep_statistics": _KEEP_STATISTICS.lstrip(),
    "freeze": _FREEZE.lstrip(),
    "freeze_norms": _FREEZE_NORMS.lstrip(),
    "ChannelLayerNorm": _CHANNEL_LAYER_NORM.lstrip(),
    "ChannelRMSNorm": _CHANNEL_RMS_NORM.lstrip(),
    "StochasticDepth": _STOCHASTIC_DEPTH.lstrip(),
    "filled": _FILLED.lstrip(),
    "random_normal": _RANDOM_NORMAL.lstrip(),
    "ChannelLinear": _CHANNEL_LINEAR.lstrip(),
    "ChannelGELU": _CHANNEL_GELU.lstrip(),
    "Patches": _PATCHES.lstrip(),
    "PositionEncoding": _POSITION_ENCODING.lstrip(),
    "SelfAttention": _SELF_ATTENTION.lstrip(),
    "CrossAttention": _CROSS_ATTENTION.lstrip(),
    "WindowAttention": _WINDOW_ATTENTION.lstrip(),
    "CosineWindowAttention": _COSINE_WINDOW_ATTENTION.lstrip(),
    "PartitionAttention": _PARTITION_ATTENTION.lstrip(),
}
"""The source of each class, by its name: a constructor without a dot is one of these."""

NEEDS: Final[dict[str, str]] = {"CosineWindowAttention": "WindowAttention"}
"""What must stand before a class: the one that it is made from."""

CHANNELS_LAST: Final[dict[str, str]] = {"nn.GELU": "ChannelGELU"}
"""What takes the place of a module behind one whose result lies in memory with the channels last: torch has a faster
way for a tensor that is contiguous.
"""
