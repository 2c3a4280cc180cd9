#!/usr/bin/env python3
"""lint.py HAND_WRITTEN... -- GENERATED...: parses Swift with tree-sitter, where there is no Swift compiler.

It finds what can't be parsed, and nothing else: no type is checked. An error in hand-written code fails. Of generated code the errors are
counted only: the grammar does not know the attribute `@_documentation` and the like that UniFFI writes, and Apple's compiler does."""

import sys

import tree_sitter_swift
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_swift.language()))


def errors(path):
    with open(path, "rb") as file:
        open_nodes, found = [parser.parse(file.read()).root_node], []
    while open_nodes:
        node = open_nodes.pop()
        if node.is_error or node.is_missing:
            found.append(f"{path}:{node.start_point[0] + 1}:{node.start_point[1] + 1}: {'missing' if node.is_missing else 'not understood'}")
        elif node.has_error:
            open_nodes += node.children
    return sorted(found)


def main(words):
    hand_written, generated = words[: words.index("--")], words[words.index("--") + 1 :]
    wrong = [error for path in hand_written for error in errors(path)]
    for path in generated:
        print(f"{path}: generated, {len(errors(path))} places that the grammar does not know", file=sys.stderr)
    print("\n".join(wrong + [f"Swift: {len(hand_written)} hand-written files parsed, {len(wrong)} errors"]), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
