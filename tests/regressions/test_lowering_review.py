"""What the compiler once got wrong: a module computes what its spec says, however modules are shared and named."""

from __future__ import annotations

import pytest
import torch

import archdsl
from tests.language.specs import codes
from tests.work import calls


def built(text: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return archdsl.parse(text).compile()


def test_a_shared_activation_leaves_alone_what_one_of_its_uses_may_not_overwrite() -> None:
    model = built("""
      net n {
        input x : 3x8x8
        share act = relu
        x -> conv 3 -> act -> conv 3 as a
        a -> act as b
        output a, b
      }
    """)
    a, b = model(torch.randn(2, 3, 8, 8))
    assert (a < 0).any()
    assert torch.equal(b, a.relu())


@pytest.mark.parametrize(
    ("one", "other", "element"),
    [
        ("3x8x8", "3x8", "pool 2"),
        ("3x8x8", "3x8", "bn"),
        ("4x8x8", "8x8x8", "bn affine=no"),
        ("4x8x8", "tokens 5x4", "softmax"),
        ("4x8x8", "tokens 5x4", "layernorm"),
        ("4x8x8", "8x8x8", "(split 2 -> add)"),
    ],
)
def test_a_module_is_shared_only_where_it_is_the_same_module(one: str, other: str, element: str) -> None:
    text = f"""
      net n {{
        input a : {one}
        input b : {other}
        share s = {element}
        a -> s -> flatten as left
        b -> s -> flatten as right
        ( left | right ) -> cat
      }}
    """
    assert codes(text) == ["share-mismatch"]


def test_what_is_no_module_is_shared_by_values_of_any_shape() -> None:
    text = """
      net n {
        input a : 4x8x8
        input b : 8x8x8
        share s = split 2
        a -> s -> add -> flatten as left
        b -> s -> add -> flatten as right
        ( left | right ) -> cat
      }
    """
    a, b = torch.randn(2, 4, 8, 8), torch.randn(2, 8, 8, 8)
    sums = [x[:, : x.shape[1] // 2] + x[:, x.shape[1] // 2 :] for x in (a, b)]
    assert torch.equal(built(text)(a, b), torch.cat([x.flatten(1) for x in sums], 1))


@pytest.mark.parametrize("turned", [False, True])
def test_a_shared_group_may_meet_a_value_twice_in_one_use(turned: bool) -> None:
    first, second = ("e", "f") if turned else ("f", "e")
    model = built(f"""
      net n {{
        input x : 4x8x8
        x -> conv 4 as e -> relu as f
        share g = (( conv 4 | e ) -> sub)
        {first} -> g as left
        {second} -> g as right
        ( left | right ) -> cat
      }}
    """)
    x = torch.randn(2, 4, 8, 8)
    e = model.e(x)
    f = torch.relu(e)
    left, right = (e, f) if turned else (f, e)
    expected = torch.cat((model.g.conv1(left) - e, model.g.conv1(right) - e), 1)
    assert torch.equal(model(x), expected)


def test_uses_of_a_shared_group_may_be_given_one_value_or_several() -> None:
    model = built("""
      net n {
        input a : 4x8x8
        input b : 4x8x8
        share g = (( conv 4 -> (conv 4 | id) -> sub | relu ) -> sub)
        ( a | b ) -> g as x
        a -> g as y
        ( b | x ) -> g as z
        ( x | y | z ) -> cat
      }
    """)
    a, b = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)

    def g(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        first = model.g.conv1(left)
        return (model.g.conv2(first) - first) - torch.relu(right)

    x = g(a, b)
    assert torch.equal(model(a, b), torch.cat((x, g(a, a), g(b, x)), 1))


def test_a_shared_module_gives_in_all_uses_what_one_use_is_asked_for() -> None:
    model = built("""
      net n {
        input x : 4x8x8
        share g = (conv 4 as c -> relu)
        x -> g as v
        v -> g as u
        ( c | u ) -> cat
      }
    """)
    x = torch.randn(2, 4, 8, 8)
    c = model.g.c(model.g.c(x).relu())
    assert torch.equal(model(x), torch.cat((c, c.relu()), 1))


def test_a_shared_element_has_one_name() -> None:
    text = """
      net n {
        input x : 4x8x8
        share g = conv 4 as foo
        x -> g
        conv 5 as foo
      }
    """
    assert codes(text) == ["duplicate-name"]


def test_words_of_python_are_parameters_and_inputs_of_blocks() -> None:
    model = built("""
      block widen(lambda) { conv lambda -> relu }
      block join takes class, def { class -> add def -> conv 3 -> add class -> add def }
      net n {
        input x : 3x8x8
        widen(4) -> widen(3) as a -> conv 3 as b
        ( a | b ) -> join
      }
    """)
    x = torch.randn(2, 3, 8, 8)
    a = model.a.conv1(model.widen1.conv1(x).relu()).relu()
    b = model.b(a)
    assert torch.equal(model(x), model.join1.conv1(a + b) + a + b)


@pytest.mark.parametrize("block", ["channel_layer_norm", "n_output"])
def test_a_block_may_be_called_like_a_class_that_the_source_needs(block: str) -> None:
    model = built(f"""
      block {block} {{ conv 4 -> relu }}
      net n {{
        input x : 3x8x8
        x -> layernorm -> {block} as u -> conv 4 as v
        output u, v
      }}
    """)
    x = torch.randn(2, 3, 8, 8)
    u, v = model(x)
    normalized = torch.nn.functional.layer_norm(x.movedim(1, -1), [3]).movedim(-1, 1)
    torch.testing.assert_close(u, model.u.conv1(normalized).relu())
    assert torch.equal(v, model.v(u))


@pytest.mark.parametrize("last", ["( a | a )", "( output2 | conv 3 )"])
def test_results_without_an_output_statement_have_names_of_their_own(last: str) -> None:
    model = built(f"net n {{\n input x : 3x8x8\n conv 3 as a\n conv 3 as output2\n {last}\n}}")
    result = model(torch.ones(2, 3, 8, 8))
    assert len(set(result._fields)) == 2


def test_an_input_may_come_after_a_block() -> None:
    model = built("""
      block q { relu -> conv 4 }
      net n {
        input a : 4x6x6
        a -> q as u
        input b : 4x6x6
        b -> q as v
        ( u | v ) -> add
      }
    """)
    a, b = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    assert torch.equal(model(a, b), model.u(a) + model.v(b))


def test_an_output_that_an_error_hides_is_not_said_to_be_missing() -> None:
    text = """
      net n {
        input x : 3x8x8
        conv 3 as early
        conv 0 as late
        output late
        output early when training
      }
    """
    assert codes(text) == ["bad-argument"]


@pytest.mark.parametrize("step", ["[$, $]", "[$]", "$ + [$]"])
def test_a_short_text_writes_no_endless_list(step: str) -> None:
    lets = "".join(f"  let a{i + 1} = {step.replace('$', f'a{i}')}\n" for i in range(200))
    assert codes(f"net n {{\n  input 3x8x8\n  let a0 = [[1, 2]]\n{lets}  conv a200\n}}") == ["bad-expression"]


def test_thousands_of_outputs_take_no_square_of_the_work() -> None:
    def work(count: int) -> int:
        names = ", ".join(f"r{i}" for i in range(count))
        text = f"net n {{\n input 3x8x8\n for i in 0..{count} {{ relu as r{{i}} }}\n output {names}\n}}"
        return calls(lambda: archdsl.parse(text).source())

    assert work(2000) < 5 * work(500)
