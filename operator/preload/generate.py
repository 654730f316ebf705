"""Generate the texts that the operator injects into pods: small sources, and the lines that run them.

Run it without arguments to write `generated/`; `tests/test_generated.py` fails when those files are stale.
"""

import ast
import base64
import keyword
import re
import string
import zlib
from collections import Counter
from pathlib import Path

import zopfli.zlib

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "src"
GENERATED = FOLDER / "generated"

WORKER_VARIABLE = "OPERATOR_WAIT"
SCHEDULER_VARIABLE = "OPERATOR_PRELOAD"


def run(variable):
    return f'exec(__import__("os").environ["{variable}"])'


def run_packed(variable):
    """Return a line that runs a source which would be too long to be copied into every pod as it is."""
    text = f'__import__("os").environ["{variable}"].replace(".",chr(36))'
    packed = f'__import__("base64").b85decode({text})'
    return f'exec(__import__("zlib").decompress({packed}))'


def pack(text):
    """Compress a text; a dollar sign would be a reference to a variable in a pod."""
    return base64.b85encode(zopfli.zlib.compress(text.encode())).decode().replace("$", ".")


def unpack(packed):
    return zlib.decompress(base64.b85decode(packed.replace(".", "$"))).decode()


# Dask takes a preload for source text only if it contains a space.
STUBS = {
    # DASK_DISTRIBUTED__WORKER__PRELOAD
    "worker-preload.txt": f'{run(WORKER_VARIABLE)}; load("worker")',
    # DASK_DISTRIBUTED__NANNY__PRELOAD, which `dask cuda worker` reads
    "nanny-preload.txt": f'{run(WORKER_VARIABLE)}; load("nanny")',
    # --preload-nanny: `dask worker` never reads the nanny's configuration, so this hides nothing
    "preload-nanny.txt": f"{run(WORKER_VARIABLE)} # wait",
    # DASK_DISTRIBUTED__SCHEDULER__PRELOAD
    "scheduler-preload.txt": f'{run_packed(SCHEDULER_VARIABLE)}; load("scheduler")',
}


# Names that others use: Dask calls the two hooks, the stubs call `load`, `preloads` outlives a reload.
KEPT = {"dask_setup", "dask_teardown", "load", "preloads"}


def shrink(name):
    """Return a source and its siblings without comments, docstrings, long names and needless white space."""
    tree = join(name)
    check_distinct(tree)
    merge_imports(tree)
    shorten_names(tree)
    text = fold([squeeze(line) for line in ast.unparse(tree).splitlines() if line.strip()])
    if ast.dump(ast.parse(text)) != ast.dump(ast.parse(ast.unparse(tree))):
        raise ValueError("shrinking changed the meaning of the source")
    return text


def join(name, seen=()):
    """Parse a source and put each sibling that it imports from before it, once."""
    seen = seen or {name}
    tree = ast.parse((SOURCES / f"{name}.py").read_text())
    drop_docstrings(tree)
    before, own = [], []
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or not (SOURCES / f"{node.module}.py").exists():
            own.append(node)
        elif node.module not in seen:
            seen.add(node.module)
            before += join(node.module, seen).body
    tree.body = before + own
    return tree


def check_distinct(tree):
    """Sources share one name space: what they define must have different names."""
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"defined twice: {twice}")


DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def drop_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]


def merge_imports(tree):
    """Turn the `import` statements into one, and those that import names from one module into one, too."""
    modules, names, rest = {}, {}, []
    for node in tree.body:
        if isinstance(node, ast.Import):
            modules.update({name.name: name for name in node.names})
        elif isinstance(node, ast.ImportFrom):
            names.setdefault(node.module, {}).update({name.name: name for name in node.names})
        else:
            rest.append(node)
    froms = [ast.ImportFrom(module=name, names=[*found.values()], level=0) for name, found in names.items()]
    tree.body = [ast.Import(names=[*modules.values()]), *froms, *rest]


def shorten_names(tree):
    """Give one or two letters to every name that the source itself binds and nobody else uses."""
    nodes = list(ast.walk(tree))
    spelled = {id(node): field for node in nodes if (field := FIELDS.get(type(node)))}
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            # Others call the methods; a name that is bound beside them would have to be kept, too.
            if not all(
                isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.Pass) for item in node.body
            ):
                raise ValueError(f"{node.name} has more than methods")
            spelled = {key: field for key, field in spelled.items() if key not in {id(n) for n in node.body}}
    fields = own_fields(nodes)
    used = Counter(getattr(node, spelled[id(node)]) for node in nodes if id(node) in spelled)
    used.update(node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr in fields)
    bound = {getattr(node, spelled[id(node)]) for node in nodes if id(node) in spelled and binds(node)}
    taken = {name.asname or name.name for node in nodes if isinstance(node, IMPORTS) for name in node.names}
    kept = KEPT | taken | keywords(nodes) - fields
    names = [name for name, _ in used.most_common() if name in (bound | fields) - kept]
    letters = string.ascii_letters + "_"
    free = (first + second for first in ["", *letters] for second in letters)
    forbidden = taken | set(used) | set(keyword.kwlist)
    short = dict(zip(names, (name for name in free if name not in forbidden), strict=False))
    for node in nodes:
        if field := spelled.get(id(node)):
            setattr(node, field, short.get(getattr(node, field), getattr(node, field)))
        elif isinstance(node, ast.Attribute) and node.attr in fields:
            node.attr = short[node.attr]
        elif isinstance(node, ast.keyword) and node.arg in fields:
            node.arg = short[node.arg]


FIELDS = {
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.arg: "arg",
    ast.Name: "id",
}


def own_fields(nodes):
    """Return the names of the fields of our own records, which no object of Dask may have."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {field.arg for call in calls if call.func.id == "SimpleNamespace" for field in call.keywords}


def keywords(nodes):
    """Return the names that calls spell out: some may be arguments of others' functions."""
    return {node.arg for node in nodes if isinstance(node, ast.keyword)}


IMPORTS = ast.Import | ast.ImportFrom


def binds(node):
    return not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store)


def squeeze(line):
    """Indent by one space a level and drop the spaces around punctuation outside strings."""
    code = line.lstrip()
    level = (len(line) - len(code)) // 4
    parts = re.split(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", code)
    parts[::2] = [re.sub(r"(?<!\w) | (?!\w)", "", part) for part in parts[::2]]
    return " " * level + "".join(parts)


def fold(lines):
    """Put a block that has no blocks inside it on the line of its header."""

    def one_line(block):
        indent, header, body = block.groups()
        return indent + header + ";".join(body.split(f"\n{indent} ")[1:])

    innermost = re.compile(r"^( *)(\S.*:)((?:\n\1 [^ \n].*(?<!:)$)+)(?!\n\1 )", re.MULTILINE)
    return innermost.sub(one_line, "\n".join(lines))


def generate():
    """Return the name and text of every generated file."""
    sources = {f"{name}.py": shrink(name) for name in ("wait", "scheduler", "leave")}
    return sources | {"scheduler-packed.txt": pack(sources["scheduler.py"])} | STUBS


def main():
    GENERATED.mkdir(exist_ok=True)
    for name, text in generate().items():
        (GENERATED / name).write_text(text)
        print(f"{len(text.encode()):5} bytes  generated/{name}")


if __name__ == "__main__":
    main()
