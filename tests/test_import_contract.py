"""Who may import whom. The design rests on it: see the packages' docstrings and the table in `docs/architecture.md`."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("articles", "consumer", "local", "bootstrap")

MAY_IMPORT = {
    "articles": {"articles"},
    "consumer": {"articles", "consumer"},
    "local": {"articles", "consumer", "local"},
    "bootstrap": {"bootstrap", "consumer"},
}

# What is installed only where somebody trains: no other module of ours imports these, so the reader needs none of it.
ADAPTERS = "articles/training/adapters"

ONLY_IN = {
    "amazon_kclpy": "consumer/kcl.py",
    "fastavro": "articles/avro.py",
    "obstore": "articles/s3.py",
    "boto3": "articles/aws.py",
    "botocore": "articles/aws.py",
    "torch": f"{ADAPTERS}/torch.py",
    "datasets": f"{ADAPTERS}/huggingface.py",
    "pyarrow": f"{ADAPTERS}/arrow.py articles/export/parquet.py",
}

# The set-up runs before anything is installed.
BEFORE_INSTALLATION = {"consumer.jars"}

# Pure: no I/O, no clock, no chance, no logging. They import one another, what is allowed below, nothing else of ours.
DOMAIN = {
    "articles.avro",
    "articles.chain",
    "articles.container",
    "articles.encode",
    "articles.errors",
    "articles.export.order",
    "articles.keys",
    "articles.position",
    "articles.schema",
    "articles.verify_loss",
    "articles.verify_report",
    "consumer.admission",
    "consumer.decode",
    "consumer.enrich",
    "consumer.exits",
    "consumer.flood",
    "consumer.idle",
    "consumer.open_file",
    "consumer.payload",
    "consumer.record",
    "consumer.shard_config",
}
PURE_NAMES_ELSEWHERE = {"articles.__version__", "articles.clock.utc_date", "articles.tail.StoredObject"}
IMPURE = set(
    "asyncio concurrent ctypes fcntl glob http logging mmap multiprocessing os pathlib random secrets select selectors "
    "shutil signal socket ssl subprocess syslog tempfile threading time urllib uuid".split()
)
IMPURE_CALLS = {"open", "print", "input", "now", "today", "utcnow"}

# An import by name is one that the checks below do not see.
BY_NAME = {"import_module", "__import__"}
MAY_IMPORT_BY_NAME = {"articles/cli.py"}


def modules(package: str) -> dict[str, Path]:
    """Module name to file, for all of a package."""
    files = sorted((ROOT / package).rglob("*.py"))
    kept = (file.relative_to(ROOT) for file in files if "node_modules" not in file.parts)
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__"): file for file in kept}


def parsed(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text("utf-8"), str(file))


def imports(file: Path) -> Iterator[str]:
    """Everything that a file imports, wherever in it: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(file: Path) -> set[str]:
    """The last names of everything that a file calls: `now` for `datetime.now()`."""
    called = (node.func for node in ast.walk(parsed(file)) if isinstance(node, ast.Call))
    return {
        function.id if isinstance(function, ast.Name) else function.attr
        for function in called
        if isinstance(function, ast.Name | ast.Attribute)
    }


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    wrong = [
        f"{file} imports {name}"
        for file in modules(package).values()
        for name in imports(file)
        if top(name) in {*PACKAGES, "benchmarks", "tests"} - MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_few_files(library: str) -> None:
    importing = {
        str(file)
        for package in PACKAGES
        for file in modules(package).values()
        if any(top(name) == library for name in imports(file))
    }
    assert importing == set(ONLY_IN[library].split())


def test_adapters_are_imported_by_their_users_only() -> None:
    name = ADAPTERS.replace("/", ".")
    files = [file for package in PACKAGES for file in modules(package).values()]
    importing = {str(file) for file in files if any(one.startswith(name) for one in imports(file))}
    assert {file for file in importing if not file.startswith(f"{ADAPTERS}/")} == {"articles/export/parquet.py"}


def test_only_the_console_script_imports_by_name() -> None:
    files = [file for package in PACKAGES for file in modules(package).values()]
    assert {str(file) for file in files if calls(file) & BY_NAME} == MAY_IMPORT_BY_NAME


@pytest.mark.parametrize("module", sorted(DOMAIN))
def test_the_domain_is_pure(module: str) -> None:
    file = modules(top(module))[module]
    names = set(imports(file))
    ours = {name for name in names if top(name) in PACKAGES} - PURE_NAMES_ELSEWHERE
    strangers = {name for name in ours if name not in DOMAIN and name.rpartition(".")[0] not in DOMAIN}
    assert {name for name in names if top(name) in IMPURE} == set()
    assert strangers == set()
    assert calls(file) & IMPURE_CALLS == set()


def test_the_set_up_needs_only_the_standard_library() -> None:
    files = [*modules("bootstrap").values(), *(modules(top(name))[name] for name in BEFORE_INSTALLATION)]
    names = {name for file in files for name in imports(file)}
    outside = {name for name in names if top(name) not in {*sys.stdlib_module_names, "bootstrap"}}
    assert {name for name in outside if name not in BEFORE_INSTALLATION} == set()


def test_a_shards_child_is_small() -> None:
    """A worker has a child for each shard: what runs once, with boto3, stays in the launcher."""
    look = "import json, sys, consumer.child; print(json.dumps(sorted(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", look], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {top(name) for name in json.loads(done.stdout)}
    assert loaded & {"boto3", "botocore", "local", "asyncio", "ministack", "pathlib"} == set()
    assert loaded >= {"consumer", "articles"}
