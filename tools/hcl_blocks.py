"""What documentation needs of Terraform's language: blocks, attributes, references.

python-hcl2 reads the language, and nothing is evaluated. An expression is its syntax tree, with
heredocs as the strings that they mean.
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
    """A text is not in Terraform's language; says in which line."""


@dataclass(frozen=True)
class Attribute:
    """`source` is the expression as written, without the indentation of the name before it."""

    name: str
    source: str
    expression: Node


@dataclass(frozen=True)
class Block:
    """`kind` and `labels` are empty for a whole file."""

    kind: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    blocks: tuple["Block", ...]

    @property
    def name(self) -> str:
        return ".".join(self.labels)

    def of(self, *kinds: str) -> Iterator["Block"]:
        """Blocks of these kinds directly inside."""
        return (block for block in self.blocks if block.kind in kinds)

    def text(self, attribute: str) -> str:
        """The literal text of an attribute, empty when there is none."""
        found = self.attributes.get(attribute)
        return (literal(found.expression) if found else None) or ""

    def references(self) -> frozenset[str]:
        """Those of every attribute in it and in its blocks."""
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
    """Every dotted name, such as "var.name", as far as it goes without a bracket, and what it
    begins with: "data.aws_region.current" also for "data.aws_region.current.id"."""
    return frozenset(name for node in expression.iter_subtrees() if "." in (name := dotted(node)))


def call(expression: Node) -> tuple[str, list[Node]]:
    """Name and arguments of a function that is called, empty for everything else."""
    if expression.data != "function_call":
        return "", []
    name, *arguments = trees(expression)
    return dotted(name), [argument for group in arguments for argument in trees(group)]


def template(text: Node) -> list[str | Node]:
    """What a string consists of: literal text without its escapes, and the expression of each ${}
    (each %{} as it is)."""
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
    """A text, or None for what is no text or is interpolated."""
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
    # The tree may hold a comment behind it, and a heredoc the newline that ends its line.
    tokens = expression.scan_values(lambda token: isinstance(token, Token))
    end = max(token.end_pos or 0 for token in tokens if token.type != "NL_OR_COMMENT")
    source = text[expression.meta.start_pos : end].rstrip()
    return re.sub(rf"\n {{0,{indentation}}}", "\n", source)


def _simple(node: Node) -> Node:
    """An expression without the wrappers (of parentheses, perhaps) around each part of it."""
    if node.data == "expr_term":
        return _simple(trees(node)[0])
    match node.children:
        case [Token(type="HEREDOC_TEMPLATE" | "HEREDOC_TEMPLATE_TRIM") as heredoc]:
            return _string(heredoc)
    children = [_simple(child) if isinstance(child, Tree) else child for child in node.children]
    return Tree(node.data, children, node.meta)


def _string(heredoc: Token) -> Node:
    """What python-hcl2 leaves as one token, read as the quoted text with the same content."""
    opening, *lines, _ = heredoc.rstrip().splitlines(keepends=True)
    content = textwrap.dedent("".join(lines)) if opening.startswith("<<-") else "".join(lines)
    quoted = content.replace("\\", "\\\\").replace('"', '\\"')
    # Behind as many lines as there are before it in the file, which an error has to name.
    before = "\n" * (heredoc.line or 0)
    return parse(f'{before}text = "{quoted}"').attributes["text"].expression


def _written(node: Node) -> str:
    return "".join(node.scan_values(lambda _: True))
