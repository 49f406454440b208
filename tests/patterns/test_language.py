"""What the language takes, and how it says what it does not take."""

from __future__ import annotations

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.patterns import parse_pattern, parse_rule, parse_rules
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.patterns.syntax import Either, Op

TASKS = r"""
let random = (RandomUniform(...) or StatelessRandomUniform*(...)
              or Add|AddV2(Mul(RandomUniform|StatelessRandomUniform*(...), _), _)) ;
rule dropout_tf1 "exact": Mul(RealDiv|Div(x, keep), Floor(Add|AddV2(keep, $random))) => x ; # n=40
rule dropout_cast "exact": Mul(Mul(x, _), Cast(GreaterEqual($random, _))) => x ;
rule dropout_select "exact":
  SelectV2|Select(GreaterEqual($random, _), Mul(x, _), (0 or ZerosLike(_) or Fill(_, 0))) => x ;
rule bn_plain "within 5e-7": Add|AddV2(Mul(x, m=Mul(Rsqrt(Add|AddV2(const(v), const(e))), const(g))),
  Sub(const(b), Mul(const(mu), m2=Mul(Rsqrt(_), _))))
  => FusedBatchNormV3[is_training=false, epsilon={e}](x, g, b, mu, v) where x.rank == 4 ;
rule bn_split "within 5e-7": f=FusedBatchNorm*[is_training=false](x, const(g), const(b), const(mu), const(v))
  => AddV2(Mul(x, {k}), {b - mu * k}) where k = g / sqrt(v + @f.epsilon) ;
rule conv_bn: f=FusedBatchNorm*[is_training=false](c=Conv2D(x, const(w)) once, const(g), const(b), const(mu), const(v))
  => BiasAdd(Conv2D[*=@c](x, {w * k}), {b - mu * k}) where k = g / sqrt(v + @f.epsilon), w.dtype == g.dtype ;
rule conv_bias_relu: r=Relu|Relu6(BiasAdd|Add|AddV2(c=Conv2D|DepthwiseConv2dNative(x, w), const(b))) ;
rule swish "exact": IdentityN(Mul(x, Sigmoid((x or Mul(x, 1)))), x, ...):0 => Mul(x, Sigmoid(x)) ;
rule gelu_erfc: Mul(Mul(x, 0.5), Erfc((Mul(Neg(x), 0.70710678~1e-4) or RealDiv(Neg(x), 1.41421356~1e-4))))
  => Mul(Mul(x, 0.5), AddV2(Erf(Mul(x, 0.70710677)), 1)) ;
rule softmax "within 3e-7": RealDiv|Div(e=Exp(Sub(x, Max[keep_dims=true](x, a))), Sum[keep_dims=true](e, a))
  => Softmax(x) where all(a == x.rank - 1) or all(a == 0 - 1) ;
rule pad_conv "exact": c=Conv2D[padding=VALID](Pad(x, const(p)) once, w)
  => Conv2D[*=@c, padding='EXPLICIT', explicit_paddings={flat(p)}](x, w) where all(p[0] == 0), all(p[3] == 0) ;
rule dilated "exact": BatchToSpaceND(c=Conv2D[padding=VALID, strides=[1,1,1,1]](
  SpaceToBatchND(x, const(k), const(p)) once, w) once, const(k), const(r))
  => Conv2D[*=@c, dilations={concat([1], k, [1])}](x, w) where all(p == 0), all(r == 0) ;
rule erfc-to-erf "within 2.5e-7 absolute": Erfc(x) => Sub(1, Erf(x)) ;
rule bmm "exact": b=BatchMatMulV2(x, y) => BatchMatMul[adj_x=@b.adj_x, adj_y=@b.adj_y](x, y)
  where x.shape[0] == y.shape[0] ;
rule gatherv2 "exact": GatherV2[batch_dims=0](p, i, 0) => Gather(p, i) ;
rule lstm_split: Mul(Sigmoid(Split(d, z):3), Tanh(Add|AddV2(Mul(Sigmoid((Split(d, z):1 or Add|AddV2(Split(d, z):2, _))),
  c0), Mul(Sigmoid(Split(d, z):0), Tanh(_))))) ;
rule nms: GatherV2(boxes, NonMaxSuppression*(boxes, scores, ...):0, 0) ;
rule tpu: TPUPartitionedCall(args..., device) ;
rule custom: "MyOp"[alpha != 0](x, w?) => Relu(BiasAdd(Conv2D(x, w?), {zeros(4)})) ;
rule top2: a=TopKV2(x, k):0 & b=TopKV2(x, k):1 => TopK(x) & TopK(x):1 ;
rule typed: MatMul(x: f32|f16[?,*,...,64], const(w: ?,?,?,64)) ;
"""


def test_the_tasks_that_people_have_can_be_written() -> None:
    rules = parse_rules(TASKS)
    assert len(rules) == TASKS.count("rule ")
    assert [rule.exactness for rule in rules][:2] == ["exact", "exact"]
    assert rules[0].builds[0].value == "x"


# what is written -> column of the caret, part of the message
MISTAKES = {
    "Mul(x, ": (7, "a pattern is missing before the end"),
    "Mul(x,, y)": (7, "a pattern is missing before ','"),
    "Mul(x,)": (7, "something is missing between ',' and ')'"),
    "Add(x y)": (7, "',' or ')' is missing in Add("),
    "Conv2D[padding SAME](x)": (16, "'=' or '!=' is missing"),
    "Mul(x, 0.5~)": (12, "a tolerance is missing"),
    "Mul(x, 0.5~-1)": (8, "a tolerance is not negative"),
    "x": (1, "a pattern has to be an op"),
    "MyOp>X(x)": (1, 'an op with > in its name stands in quotes: "MyOp>X"(...)'),
    "Relu(My>Own>X[T=float32](x))": (8, 'stands in quotes: "My>Own>X"(...)'),
    "(Relu(x) or x)": (1, "a pattern has to be an op"),
    "Relu(x": (7, "',' or ')' is missing"),
    "Relu(x))": (8, "')' is too much"),
    "Relu(%)": (6, "a pattern is missing before '%'"),
    "Relu(x`)": (7, "means nothing here"),
    "Relu('x)": (6, "the text does not end"),
    "Relu($x)": (6, "no pattern is named $x"),
    "Relu(x: f33)": (9, "'f33' is no dtype"),
    "Relu(x: f32[a])": (13, "'a' is no dimension"),
    "Relu(x: )": (9, "a dtype or a shape is missing"),
    "Concat(..., a, ...)": (16, "only one `...`"),
    "Relu(x?, y)": (10, "has to be optional too"),
    "Relu((x or y)": (14, "',' or ')' is missing"),
    "Relu(a=b=x)": (6, "this has the name"),
    "Relu(x) => ": (11, "a replacement is missing"),
    "Relu(x) => y": (12, "the pattern binds no 'y'"),
    "Relu((x or Neg(y))) => x": (24, "'x' is not bound by every alternative"),
    "Relu(x?) => Neg(x)": (17, "'x' is not bound by every alternative"),
    "Relu(x) => Neg(x) where y == 1": (25, "the pattern binds no 'y'"),
    "Relu(x) => Neg[a=@x.b](x)": (18, "'x' is no node"),
    "Relu(x) => {eval(1)}": (13, "there is no function 'eval'"),
    "Relu(x) => {x.real}": (14, "a value has no 'real'"),
    "Relu(x) & Neg(x) => x": (21, "2 roots cannot be replaced by 1"),
    "Relu(x) => Neg(x) where x = 1": (29, "'x' is bound by the pattern already"),
    "Relu(through(Neg))": (17, "',' is missing behind the ops of through("),
    "Relu(through(Neg, x, y))": (20, "')' is missing of through("),
    "Relu(variable(v: f32))": (16, "')' is missing of variable("),
    "through(Neg, x)": (1, "a pattern has to be an op"),
    "Relu(variable(v)) => w": (22, "the pattern binds no 'w'"),
    "Mul(x, 1e999)": (8, "larger than any number"),
    f"Mul(x, {'9' * 100})": (8, "too long"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_shown_with_a_caret(text: str) -> None:
    column, message = MISTAKES[text]
    with pytest.raises(PatternError) as caught:
        parse_rule(text)
    line, caret = caught.value.excerpt.splitlines()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"column {column}: ")
    assert caret.index("^") == 2 + column - 1 or len(text) > 60
    assert line.strip() in text or len(text) > 60


def test_a_mistake_in_a_file_says_the_line() -> None:
    with pytest.raises(PatternError, match=r"line 3, column 13: a pattern is missing") as caught:
        parse_rules("# rules\nlet a = Neg(_) ;\nrule b: Mul(, x) ;\n")
    assert caught.value.excerpt.splitlines()[0].strip() == "rule b: Mul(, x) ;"


@pytest.mark.parametrize(
    "text",
    [
        "Neg(" * 10_000 + "x" + ")" * 10_000,
        "(" * 10_000,
        "Relu(" + "[" * 10_000,
        "Relu(x) => " + "Neg(" * 10_000 + "x",
        "Relu(x) => {" + "-" * 10_000 + "1}",
        "Relu(x) => {" + "(" * 10_000,
        "Relu(x) => {" + "not " * 10_000,
        "Relu[a=" + "[" * 10_000,
    ],
)
def test_deep_nesting_ends_with_one_line(text: str) -> None:
    with pytest.raises(PatternError, match="nested deeper than"):
        parse_rule(text)


def test_large_texts_end_with_one_line() -> None:
    with pytest.raises(UsageError, match="more than 2,000 rules"):
        parse_rules("rule a: Relu(x) => x;\n" * 3_000)
    with pytest.raises(UsageError, match="too long"):
        parse_rules("rule a: Relu(x) => x;\n" * 1_000_000)
    doubling = "let a0 = Neg(_) ;\n" + "".join(f"let a{i + 1} = Add($a{i}, $a{i}) ;\n" for i in range(40))
    with pytest.raises(PatternError, match="more than 2000 parts"):
        parse_rules(doubling)
    with pytest.raises(PatternError, match="too long"):
        parse_rule("Relu(x) => {" + "1 + " * 1_000 + "1}")


def test_what_is_read() -> None:
    rule = parse_pattern("r=Relu|Relu6(Add!(x, (y or z)), _?)")
    root = rule.roots[0]
    assert isinstance(root, Op)
    assert root.name == "r"
    assert [name.text for name in root.ops] == ["Relu", "Relu6"]
    inner = root.args[0]
    assert isinstance(inner, Op)
    assert inner.is_ordered
    assert isinstance(inner.args[1], Either)


def test_a_replacement_is_no_pattern_to_find() -> None:
    with pytest.raises(UsageError, match="replaces"):
        parse_pattern("Relu(x) => x")
