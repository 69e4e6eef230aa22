"""Names of modules: what a spec calls them, or a layer's word and a counter."""

from __future__ import annotations

from archdsl.source import Span

# The attributes of torch.nn.Module, which a submodule's name would hide or be hidden by. tests/torch checks the list
# against torch itself; the core does not import torch to know it.
MODULE_ATTRIBUTES = frozenset(
    """T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict
    modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook
    register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
    state_dict to to_empty train training type xpu zero_grad
    append clear copy extend fromkeys get insert items keys pop popitem setdefault update values
    """.split()
)
PYTHON_WORDS = frozenset(
    """and as assert async await break class continue def del elif else except finally for from global if import in is
    lambda nonlocal not or pass raise return try while with yield False None True match case type self torch nn
    """.split()
)


def refused_name(name: str) -> str | None:
    """Why a name cannot be a module's, or None."""
    if name in MODULE_ATTRIBUTES:
        return f"every torch module already has a `{name}`"
    if name in PYTHON_WORDS:
        return f"`{name}` is a word of Python"
    if name.startswith("_"):
        return "names that begin with _ belong to torch"
    return None


class Frame:
    """A module being filled: its path, and the names of what it holds so far."""

    __slots__ = ("activation", "counters", "names", "next_number", "numbered", "prefix", "reused")

    def __init__(self, prefix: str, activation: int, numbered: bool, reused: bool = False) -> None:
        self.prefix = prefix
        """The path of the module with a dot behind it; empty for the network."""
        self.activation = activation
        self.numbered = numbered
        self.reused = reused
        """Whether this is a later use of a shared module."""
        self.names: dict[str, Span] = {}
        self.counters: dict[str, int] = {}
        self.next_number = 0

    def inside(self, activation: int) -> Frame:
        """A frame for a block that adds no module: it names into this one."""
        frame = Frame(self.prefix, activation, self.numbered, self.reused)
        frame.names, frame.counters, frame.next_number = self.names, self.counters, self.next_number
        return frame

    def default_name(self, word: str, span: Span, is_module: bool) -> str:
        """The next free name for an element that has none of its own."""
        if self.numbered and is_module:
            name = str(self.next_number)
            self.next_number += 1
            while name in self.names:
                name = str(self.next_number)
                self.next_number += 1
        else:
            number = self.counters.get(word, 0) + 1
            name = f"{word}{number}"
            while name in self.names:
                number += 1
                name = f"{word}{number}"
            self.counters[word] = number
        self.names[name] = span
        return name

    def free(self, name: str) -> None:
        """Gives back the name of a module that is none, since it holds nothing."""
        if self.names.pop(name, None) is not None and self.numbered and name.isdigit():
            self.next_number -= 1

    def take(self, name: str, span: Span) -> Span | None:
        """Takes a given name; returns where it was taken before, if it was."""
        before = self.names.get(name)
        if before is None:
            self.names[name] = span
            if self.numbered:
                self.next_number += 1
        return before
