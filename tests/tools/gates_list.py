# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates, each a function of its own; see CONTRIBUTING.md for what they say."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gates_tools import BUILD, COLLECTIONS, DIST, HOME, LINK, ROOT, TREE, Context, GateFailed, GateSkipped, copy_tree, link

PYTHON = sys.executable
BIN = Path(sys.executable).parent
NEWER = "3.13"
"""The other Python on which the unit tests run, with the newest ansible-core that requirements.txt has for it."""
PACKAGE = "ansible_collections.cloudnet.vpc"
TWO = ("-n", "2", "--dist", "worksteal")
"""Two workers, each with labs of its own; one that is done takes over what waits behind the other's long tests."""
IN_TREE = {"ANSIBLE_COLLECTIONS_PATH": str(BUILD / "tree"), "PYTHONDONTWRITEBYTECODE": "1"}
"""For what runs in the build tree: nothing may appear there while another gate looks at its files."""
AMAZON = BUILD / "tree" / "ansible_collections" / "amazon"


@dataclass(frozen=True)
class Gate:
    """One gate: ``weight`` is how many of two processor cores it fills, over all its time, ``needs`` the gates that come before."""

    name: str
    check: Callable[[Context], None]
    needs: tuple[str, ...] = ()
    weight: float = 1
    asked: bool = False
    """Run only when it is named: it takes longer than every run of the tests may."""


def real_home() -> dict[str, str]:
    """For the commands that look for what a user has installed."""
    return {"HOME": os.environ.get("HOME", str(HOME))}


def mark() -> str:
    """Eight digits that stand for this checkout, for the names of labs."""
    return hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]


def site_packages(python: str | Path = PYTHON) -> Path:
    """Where an environment's collections are."""
    return next(Path(python).parent.parent.glob("lib/python*/site-packages"))


def files() -> set[str]:
    """The names of the files in the build tree."""
    found = (path.relative_to(TREE) for path in TREE.rglob("*") if path.is_file())
    return {str(name) for name in found if not {".git", "__pycache__"} & set(name.parts)}


def tree(context: Context) -> None:
    """Copy the collection into the folders that ansible-test wants, without the link that it refuses."""
    context.note(f"{copy_tree(TREE)} files in {TREE}")
    if shutil.which("git") and not (TREE / ".git").exists():
        # Tools ask git which files there are: without this they would ask the checkout's, in which .build is ignored, and test nothing.
        context.run("git", "init", "--quiet", TREE)
    link(AMAZON, site_packages() / "ansible_collections" / "amazon")


def ruff(context: Context) -> None:
    """One style: ruff check, ruff format --check."""
    cache = {"RUFF_CACHE_DIR": str(BUILD / "ruff")}
    code = context.run(BIN / "ruff", "check", "--output-format=concise", ".", env=cache, check=False)
    if context.run(BIN / "ruff", "format", "--check", ".", env=cache, check=False) or code:
        raise GateFailed("ruff found something: `ruff check --fix . && ruff format .` mends most of it")


def mypy(context: Context) -> None:
    """Types hold: mypy --strict on all plugins, and on these tools."""
    options = [f"--config-file={ROOT / 'pyproject.toml'}", f"--cache-dir={BUILD / 'mypy'}"]
    plugins = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.name != "doc_fragments" and any(path.rglob("*.py")))
    packages = [word for name in plugins for word in ("-p", f"{PACKAGE}.plugins.{name}")]
    code = context.run(BIN / "mypy", *options, *packages, cwd=COLLECTIONS, env={"MYPYPATH": "."}, check=False)
    tools = [path.name for path in sorted((ROOT / "tests" / "tools").glob("*.py"))]
    if context.run(BIN / "mypy", *options, *tools, cwd=ROOT / "tests" / "tools", check=False) or code:
        raise GateFailed("mypy found something")


def reuse(context: Context) -> None:
    """Every file says its licence: reuse lint."""
    context.run(BIN / "reuse", "--root", TREE, "lint")
    # Beside these and the licence texts it passes over empty files; anything else that it does not see is a fault of this gate.
    passed_over = {"COPYING", "REUSE.toml"}
    seen = sum(1 for name in files() if not name.startswith("LICENSES/") and name not in passed_over and (TREE / name).stat().st_size)
    if f"Files with license information: {seen} / {seen}" not in context.log.read_text():
        raise GateFailed(f"reuse did not look at all {seen} files")


def changelog(context: Context) -> None:
    """antsibull-changelog lint."""
    context.run(BIN / "antsibull-changelog", "lint", cwd=TREE)
    if (TREE / "changelogs" / "changelog.yaml").exists():
        context.run(BIN / "antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml", cwd=TREE)


def sanity(context: Context) -> None:
    """ansible-test sanity: all its tests that need no container, with no ignore lines."""
    ignored = sorted(path.name for path in (TREE / "tests" / "sanity").glob("ignore*.txt"))
    if ignored:
        raise GateFailed(f"there are ignore lines: {', '.join(ignored)}")
    # ansible-test downloads this script otherwise; its name holds the version of pip that it asks for, its content is our business.
    asked = re.search(r"\bpip='([\d.]+)'", (site_packages() / "ansible_test" / "_internal" / "python_requirements.py").read_text())
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{(asked[1] if asked else '24.2').replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("import ensurepip\nensurepip.bootstrap()\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    context.run(
        BIN / "ansible-test", "sanity", "--local", "--python", version, "--color", "no",
        cwd=TREE, env=IN_TREE,
    )  # fmt: skip
    if "All targets skipped" in context.log.read_text():
        raise GateFailed("ansible-test found nothing to test")


def ansible_lint(context: Context) -> None:
    """ansible-lint in its production profile."""
    context.run(
        BIN / "ansible-lint", "--profile", "production", "--offline", "--nocolor",
        cwd=TREE, env=IN_TREE,
    )  # fmt: skip


def docs(context: Context) -> None:
    """Documentation that renders, with references that lead somewhere: antsibull-docs."""
    context.run(
        BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent", "--skip-rstcheck", ".",
        # It copies what git knows: amazon.aws in an ignored .venv would be copied as nothing.
        cwd=TREE, env={**IN_TREE, "GIT_CEILING_DIRECTORIES": str(ROOT)},
    )  # fmt: skip


def tarball() -> Path:
    """The built collection."""
    return next(DIST.glob("cloudnet-vpc-*.tar.gz"))


def build(context: Context) -> None:
    """The tarball builds, from the checkout itself, and holds exactly the collection's files."""
    shutil.rmtree(DIST, ignore_errors=True)
    context.run(BIN / "ansible-galaxy", "collection", "build", "--output-path", DIST)
    with tarfile.open(tarball()) as archive:
        built = {member.name for member in archive.getmembers() if not member.isdir()}
    # galaxy.yml becomes MANIFEST.json; what git and the continuous integration need is left out.
    meant = {
        name
        for name in files()
        if not name.startswith((".ci/", "tests/output/")) and name not in {"galaxy.yml", ".gitignore", "changelogs/.gitignore"}
    }
    made = {"MANIFEST.json", "FILES.json"}
    wrong = sorted(built - meant - made) + sorted(meant - built)
    if wrong:
        raise GateFailed(f"in only one of tarball and source (see build_ignore in galaxy.yml): {', '.join(wrong[:10])}")


def importer(context: Context) -> None:
    """galaxy-importer takes the tarball, as Galaxy would."""
    folder = BUILD / "venv-importer"
    context.run(ROOT / "tests" / "tools" / "run", "layer", folder, PYTHON, "base", "requirements-importer.txt", env=real_home())
    work = BUILD / "importer"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # What it would start beside its own checks are ansible-lint and ansible-doc, which other gates run on the same files, and strictly.
    settings = "CHECK_REQUIRED_TAGS = True\nRUN_ANSIBLE_LINT = False\nRUN_ANSIBLE_DOC = False\n"
    (work / "galaxy-importer.cfg").write_text(f"[galaxy-importer]\n{settings}")
    environment = {"PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin", "GALAXY_IMPORTER_CONFIG": str(work / "galaxy-importer.cfg")}
    context.run(folder / "bin" / "python", "-m", "galaxy_importer.main", tarball(), cwd=work, env=environment)


PAIR = """\
name: pair
region: us-east-1
vpcs:
  dev: {cidr: 10.0.0.0/16, subnets: {app: {cidr: 10.0.1.0/24, az: a}}, security_groups: {servers: {}}}
  ops: {cidr: 10.1.0.0/16, subnets: {admin: {cidr: 10.1.1.0/24, az: a}}, security_groups: {tools: {}}}
peerings:
  - {between: [dev, ops]}
allow:
  - {from: dev.servers, to: ops.tools, tcp: 443}
"""


def installed(context: Context) -> None:
    """The tarball, installed in an empty folder, runs its playbooks there by name."""
    work = BUILD / "installed"
    lab = f"installed-{mark()}"
    shutil.rmtree(work, ignore_errors=True)
    (work / "here").mkdir(parents=True)
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(work / "collections")}
    place = ["--offline", "--no-deps", "-p", str(work / "collections")]
    context.run(BIN / "ansible-galaxy", "collection", "install", tarball(), *place, cwd=work, env=settings)
    (work / "here" / "pair.yml").write_text(PAIR)
    pair = ("-e", "cloudnet_topology=pair.yml")

    def play(name: str, *words: str) -> str:
        # Packets are molecule's business: here it is about where an installed collection finds its files, and where it writes.
        command = [str(BIN / "ansible-playbook"), f"cloudnet.vpc.{name}", "-e", f"lab_name={lab}", "-e", "cloudnet_lab_twin=off", *words]
        return context.output(*command, cwd=work / "here", env=settings)

    try:
        # The topology that is shipped, with every role of it, and nothing started before.
        play("peer", "--check")
        play("plan", *pair)
        play("apply", *pair, "-e", "approve=artifacts/pair/plan.json")
        if "changed=0 " not in play("peer", *pair):
            raise GateFailed("cloudnet.vpc.peer changed something after cloudnet.vpc.apply")
        play("delete", *pair)
    finally:
        play("lab", "-e", "lab_state=stopped")
    missing = [name for name in ("two-vpcs/plan.json", "pair/outputs.json") if not (work / "here" / "artifacts" / name).is_file()]
    if missing:
        raise GateFailed(f"the playbooks wrote no {' and no '.join(missing)} where their user stood")
    written = [path.name for path in (work / "collections" / "ansible_collections" / "cloudnet" / "vpc").glob("artifacts")]
    if written:
        raise GateFailed("a playbook wrote its artefacts into the installed collection")


def clone(context: Context) -> None:
    """A copy in a folder with spaces and a quote in its name works: make lab, peer with packets, and env, in a shell of one's own."""
    folder = BUILD / "clone" / "it's a clone"
    copy_tree(folder)
    ours = Path("ansible_collections", "cloudnet", "vpc")
    link(folder / LINK / ours, (COLLECTIONS / ours).readlink())
    script = """
        set -euo pipefail
        make() { command make --no-print-directory "$@"; }
        stop() { make -C "$clone" lab-down; }
        trap stop EXIT
        eval "$(make -s -C "$clone" env)"
        cd /
        ansible-doc -t module cloudnet.vpc.lab >/dev/null
        make -C "$clone" lab
        make -C "$clone" peer
        said=$(ansible localhost -m cloudnet.vpc.lab); printf '%s\\n' "$said"
        grep -q '"changed": false' <<<"$said"
        eval "$(make -s -C "$clone" env)"
        python -c 'import boto3; print(boto3.client("sts").get_caller_identity()["Account"])' | grep -x 111111111111
        ansible-playbook "$clone/playbooks/lab.yml" --syntax-check
    """
    # The environment that is already set up serves: what is tried here is the folder.
    context.run("bash", "-c", script, cwd=BUILD, env={"clone": str(folder), "CLOUDNET_VENV": str(BIN.parent)})


LONGEST = ("finance_hub", "file_transfer", "deploy", "two_vpc_lab", "shared_services", "default")
"""Of molecule's scenarios those that take longest, which begin first."""
ASKED = ("one_sided",)
"""Run only when named, by itself or with all the others: it runs four playbooks twice, and unit tests have each of its turns."""


def scenarios() -> list[str]:
    """The names of molecule's scenarios, in the order in which they are run."""
    found = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}
    return [name for name in LONGEST if name in found] + sorted(found - {*LONGEST})


def scenario(name: str) -> Callable[[Context], None]:
    """The gate of one of molecule's scenarios: shipped playbooks on a lab of its own, twice, and away again."""

    def check(context: Context) -> None:
        # All that Ansible can say, and nothing of it a secret.
        context.run(BIN / "molecule", "test", "--scenario-name", name, env={"ANSIBLE_VERBOSITY": "3"})
        context.run(PYTHON, ROOT / "tests" / "support" / "leaks.py", context.log)

    told = (line for line in (ROOT / "molecule" / name / "molecule.yml").read_text().splitlines() if line.startswith("# "))
    check.__doc__ = next(line.removeprefix("# ") for line in told if "SPDX" not in line)
    return check


def slow(context: Context) -> None:
    """The slow tests: approvals by playbook, an estate, keys that travel, whole jobs under their policies, amazon.aws alone."""
    context.pytest("tests/unit", "-m", "slow")
    context.pytest("tests/twin", "tests/contract", "-m", "slow")


def contract(context: Context) -> None:
    """The lab answers as AWS documents it."""
    context.pytest("tests/contract", "-m", "not slow and not terraform")


def terraform(context: Context) -> None:
    """Real Terraform applies, plans, changes and destroys on the lab; skipped, with the reason, where it or its provider is missing."""
    command = "from support.terraform import lacking; print(lacking())"
    lacking = context.output(PYTHON, "-c", command, env={"PYTHONPATH": str(ROOT / "tests")}).strip()
    if lacking:
        raise GateSkipped(lacking)
    context.pytest("tests/contract/test_terraform.py")


def resilience(context: Context) -> None:
    """What must always hold: properties over generated topologies, faults, and a kill at every call."""
    # Half of their time is waiting for repetitions and for what is not found yet: four keep two cores busy. A file stays in one process,
    # for some fork, and others have the threads of a lab in theirs.
    context.pytest("tests/resilience", "-n", "4", "--dist", "loadfile")


def twin(context: Context) -> None:
    """Packets in the kernel do what the network says; skipped, with the reason, where namespaces are refused."""
    # Most of its time is waiting for answers that must not come.
    context.pytest("tests/twin", "-m", "not slow", "-n", "2", "--dist", "loadfile")


def unit(context: Context) -> None:
    """Unit tests on the Python and the ansible-core that users start with."""
    context.pytest("tests/unit", "-m", "not slow", *TWO)


def unit_newer(context: Context) -> None:
    """Unit tests on a newer Python with the newest ansible-core, without whole playbooks and the emulator's rules, which take minutes."""
    run = ROOT / "tests" / "tools" / "run"
    try:
        python = context.output(run, "find-python", NEWER, env=real_home()).strip()
    except GateFailed:
        raise GateSkipped(f"no Python {NEWER} that runs was found") from None
    folder = BUILD / f"venv-{NEWER}"
    context.run(run, "layer", folder, python, "base", "requirements.txt", "requirements-unit.txt", env=real_home())
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    # Properties of pure functions are tried with a fifth of the examples: what they find does not depend on the Python.
    context.pytest(
        "tests/unit",
        "--ignore=tests/unit/lab/fidelity",
        "--ignore=tests/unit/lab/test_environment.py",
        "-m",
        "not slow",
        *TWO,
        "-o",
        f"cache_dir={BUILD / f'pytest-{NEWER}'}",
        python=folder / "bin" / "python",
        env={"PATH": path, "CLOUDNET_SHORT": "1"},
    )


GATES: tuple[Gate, ...] = (
    Gate("tree", tree),
    Gate("reuse", reuse, needs=("tree",)),
    # It runs the collection's plugins in the build tree, with an environment of its own making: their bytecode would be unlicensed files.
    Gate("sanity", sanity, needs=("tree", "reuse")),
    Gate("ruff", ruff),
    Gate("mypy", mypy),
    Gate("changelog", changelog, needs=("tree",)),
    Gate("ansible-lint", ansible_lint, needs=("tree",)),
    Gate("docs", docs, needs=("tree",)),
    Gate("build", build, needs=("tree",)),
    Gate("importer", importer, needs=("build",)),
    Gate("installed", installed, needs=("build",)),
    Gate("clone", clone),
    # Most of its time it waits, as the provider does after each change; beside twin it would keep a test of terminals waiting.
    Gate("terraform", terraform, weight=2 / 3),
    # A third of their time they wait, for packets that must not come or for processes to begin.
    *(Gate(f"molecule:{name}", scenario(name), weight=2 / 3, asked=name in ASKED) for name in scenarios()),
    Gate("slow", slow, asked=True),
    Gate("contract", contract),
    Gate("twin", twin),
    # Its four processes leave nothing for twin, whose tests of keys and terminals have to be answered in time.
    Gate("resilience", resilience, weight=2),
    Gate(f"unit-{NEWER}", unit_newer, weight=2),
    Gate("unit", unit, weight=2),
)
"""In the order in which they are started; pytest's own come last."""
