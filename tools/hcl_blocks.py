"""Reads blocks, attributes and references of Terraform's language, for the documentation.

python-hcl2 reads the language, and nothing is evaluated. An expression is its syntax tree, with
heredocs as quoted strings.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import hcl2
from hcl2.utils import process_escape_sequences
from lark import Token, Tree
from lark.exceptions import UnexpectedInput

Node: TypeAlias = Tree[Token]


class HclInvalid(Exception):
    """A text is not in Terraform's language; the message names the line."""


@dataclass(frozen=True)
class Attribute:
    """An attribute. `source` is the expression as written, without the attribute's indentation."""

    name: str
    source: str
    expression: Node


@dataclass(frozen=True)
class Block:
    """A block with its content. `kind` and `labels` are empty for a whole file."""

    kind: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    blocks: tuple["Block", ...]

    @property
    def name(self) -> str:
        return ".".join(self.labels)

    def of(self, *kinds: str) -> Iterator["Block"]:
        """Yields the blocks of these kinds directly inside the block."""
        return (block for block in self.blocks if block.kind in kinds)

    def text(self, attribute: str) -> str:
        """The literal text of an attribute, empty when there is none."""
        found = self.attributes.get(attribute)
        return (literal(found.expression) if found else None) or ""

    def references(self) -> frozenset[str]:
        """Returns the references of all attributes in the block and in its nested blocks."""
        own = (references(attribute.expression) for attribute in self.attributes.values())
        return frozenset().union(*own, *(block.references() for block in self.blocks))


def parse(text: str) -> Block:
    """The blocks of a file; raises HclInvalid."""
    try:
        tree = hcl2.parses_to_tree(text)
    except UnexpectedInput as error:
        line = "".join(text.split("\n")[error.line - 1 : error.line]).strip()
        raise HclInvalid(f"line {error.line} is not HCL: {line or 'it ends too early'}") from error
    return _block("", (), trees(tree)[0], text)


def read_folder(folder: Path) -> Block:
    """All blocks of a module, file by file in the order of their names; raises HclInvalid."""
    files = []
    for path in sorted(folder.glob("*.tf")):
        try:
            files.append(parse(path.read_text(encoding="utf-8")))
        except HclInvalid as error:
            raise HclInvalid(f"{path}: {error}") from error
    return Block("", (), {}, tuple(block for file in files for block in file.blocks))


def trees(node: Node) -> list[Node]:
    """The parts of a node that are trees themselves, without comments, brackets and commas."""
    parts = (child for child in node.children if isinstance(child, Tree))
    return [part for part in parts if part.data != "new_line_or_comment"]


def dotted(expression: Node) -> str:
    """A name such as "string" or "var.name", empty for everything else."""
    match expression:
        case Tree(data="identifier", children=[name]):
            return str(name)
        case Tree(data="get_attr_expr_term") if start := dotted(trees(expression)[0]):
            return f"{start}.{_written(trees(expression)[1]).lstrip('.')}"
    return ""


def references(expression: Node) -> frozenset[str]:
    """Returns every dotted name up to a bracket, such as "var.name", and its prefixes:
    "data.aws_region.current" also for "data.aws_region.current.id"."""
    return frozenset(name for node in expression.iter_subtrees() if "." in (name := dotted(node)))


def call(expression: Node) -> tuple[str, list[Node]]:
    """Name and arguments of a function that is called, empty for everything else."""
    if expression.data != "function_call":
        return "", []
    name, *arguments = trees(expression)
    return dotted(name), [argument for group in arguments for argument in trees(group)]


def template(text: Node) -> list[str | Node]:
    """Returns the parts of a string: literal text with escapes resolved, and the expression of each
    ${} (each %{} as it is)."""
    parts = list[str | Node]()
    for part in trees(text):
        match part.children[0]:
            case Token(type="STRING_CHARS") as characters:
                parts.append(process_escape_sequences(characters))
            case Token() as escaped:  # $${} or %%{}
                parts.append(process_escape_sequences(escaped[1:]))
            case Tree(data="interpolation") as interpolation:
                parts += trees(interpolation)
            case directive:
                parts.append(directive)
    return parts


def literal(expression: Node) -> str | None:
    """Returns the text of a string; None for other expressions and for interpolated strings."""
    parts = template(expression) if expression.data == "string" else [expression]
    literals = [part for part in parts if isinstance(part, str)]
    return "".join(literals) if len(literals) == len(parts) else None


def _block(kind: str, labels: tuple[str, ...], body: Node, text: str) -> Block:
    attributes = dict[str, Attribute]()
    blocks = list[Block]()
    for child in trees(body):
        *heads, inside = trees(child)
        name, *others = (_written(head).strip('"') for head in heads)
        if child.data == "block":
            blocks.append(_block(name, tuple(others), inside, text))
        elif name in attributes:
            raise HclInvalid(f"line {child.meta.line} sets {name} a second time")
        else:
            source = _source(inside, text, indentation=child.meta.column - 1)
            attributes[name] = Attribute(name, source, _simple(inside))
    return Block(kind, labels, attributes, tuple(blocks))


def _source(expression: Node, text: str, *, indentation: int) -> str:
    # The tree may include a comment after the expression, and a heredoc its last newline.
    tokens = expression.scan_values(lambda token: isinstance(token, Token))
    end = max(token.end_pos or 0 for token in tokens if token.type != "NL_OR_COMMENT")
    source = text[expression.meta.start_pos : end].rstrip()
    return re.sub(rf"\n {{0,{indentation}}}", "\n", source)


def _simple(node: Node) -> Node:
    """Returns an expression without the nodes that wrap its parts, such as parentheses."""
    if node.data == "expr_term":
        return _simple(trees(node)[0])
    match node.children:
        case [Token(type="HEREDOC_TEMPLATE" | "HEREDOC_TEMPLATE_TRIM") as heredoc]:
            return _string(heredoc)
    children = [_simple(child) if isinstance(child, Tree) else child for child in node.children]
    return Tree(node.data, children, node.meta)


def _string(heredoc: Token) -> Node:
    """Parses a heredoc, a single token of python-hcl2, as a quoted string of the same content."""
    opening, *lines, _ = heredoc.rstrip().splitlines(keepends=True)
    content = textwrap.dedent("".join(lines)) if opening.startswith("<<-") else "".join(lines)
    quoted = content.replace("\\", "\\\\").replace('"', '\\"')
    # After as many lines as there are before it in the file, so that errors name the right line.
    before = "\n" * (heredoc.line or 0)
    return parse(f'{before}text = "{quoted}"').attributes["text"].expression


def _written(node: Node) -> str:
    return "".join(node.scan_values(lambda _: True))
