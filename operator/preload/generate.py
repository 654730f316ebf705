"""Generate the texts that the operator injects into worker pods: the small source and the lines that run it.

Run it without arguments to write `generated/`; `tests/test_generated.py` fails when those files are stale.
"""

import ast
import re
import string
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "src" / "wait.py"
GENERATED = FOLDER / "generated"

SOURCE_VARIABLE = "OPERATOR_WAIT"
RUN = f'exec(__import__("os").environ["{SOURCE_VARIABLE}"])'

# Dask takes a preload for source text only if it contains a space.
STUBS = {
    # DASK_DISTRIBUTED__WORKER__PRELOAD
    "worker-preload.txt": f'{RUN}; load("worker")',
    # DASK_DISTRIBUTED__NANNY__PRELOAD, which `dask cuda worker` reads
    "nanny-preload.txt": f'{RUN}; load("nanny")',
    # --preload-nanny: `dask worker` never reads the nanny's configuration, so this hides nothing
    "preload-nanny.txt": f"{RUN} # wait",
}


# Names that others use: Dask calls the two hooks, the stubs call `load`, `preloads` outlives a reload.
KEPT = {"dask_setup", "dask_teardown", "load", "preloads"}


def shrink(source):
    """Return the source without comments, docstrings, long local names and needless white space."""
    tree = ast.parse(source)
    drop_docstrings(tree)
    merge_imports(tree)
    shorten_names(tree)
    text = fold([squeeze(line) for line in ast.unparse(tree).splitlines() if line.strip()])
    if ast.dump(ast.parse(text)) != ast.dump(tree):
        raise ValueError("shrinking changed the meaning of the source")
    return text


def drop_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            del node.body[0]


def merge_imports(tree):
    """Turn the `import` statements into one."""
    imports = [node for node in tree.body if isinstance(node, ast.Import)]
    merged = ast.Import(names=[name for node in imports for name in node.names])
    tree.body = [merged, *(node for node in tree.body if node not in imports)]


def shorten_names(tree):
    """Give one letter to every name that the source itself binds and nobody else uses."""
    bound = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            bound.append(node.name)
        elif isinstance(node, ast.arg):
            bound.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.append(node.id)
    names = [name for name in dict.fromkeys(bound) if name not in KEPT]
    short = dict(zip(names, string.ascii_letters, strict=False))
    for node in ast.walk(tree):
        for field in {ast.Name: ["id"], ast.arg: ["arg"]}.get(type(node), ["name"]):
            if isinstance(node, ast.Name | ast.arg | ast.FunctionDef | ast.AsyncFunctionDef):
                setattr(node, field, short.get(getattr(node, field), getattr(node, field)))


def squeeze(line):
    """Indent by one space a level and drop the spaces around punctuation; no string may have one inside."""
    code = line.lstrip()
    level = (len(line) - len(code)) // 4
    return " " * level + re.sub(r"(?<!\w) | (?!\w)", "", code)


def fold(lines):
    """Put a block that has no blocks inside it on the line of its header."""

    def one_line(block):
        indent, header, body = block.groups()
        return indent + header + ";".join(body.split(f"\n{indent} ")[1:])

    innermost = re.compile(r"^( *)(\S.*:)((?:\n\1 [^ \n].*(?<!:)$)+)(?!\n\1 )", re.MULTILINE)
    return innermost.sub(one_line, "\n".join(lines))


def generate():
    """Return the name and text of every generated file."""
    return {"wait.py": shrink(SOURCE.read_text()), **STUBS}


def main():
    GENERATED.mkdir(exist_ok=True)
    for name, text in generate().items():
        (GENERATED / name).write_text(text)
        print(f"{len(text.encode()):5} bytes  generated/{name}")


if __name__ == "__main__":
    main()
