"""The locks: complete, hashed, free of addresses, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {
    "cpu": ("cpu", "postgres"),
    "cuda": ("cuda", "postgres"),
    "dev": ("cpu", "postgres", "train", "dev"),
}
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ]+)(?: ; (?P<marker>.+))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(name: str) -> list[tuple[str, Version, list[str]]]:
    """(package, version, hashes) of every requirement in a lock."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    lines = [line.split(" #")[0] for line in text.splitlines() if not line.strip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        head, *hashes = re.split(r"\s+(?=--hash)", line)
        match = PIN.fullmatch(head.strip())
        assert match, f"{name}.txt: expected package==version, got {head!r}"
        package = canonicalize_name(match["name"])
        found.append((package, Version(match["version"]), [h.strip() for h in hashes]))
    return found


def versions(name: str) -> dict[str, set[Version]]:
    table: dict[str, set[Version]] = {}
    for package, version, _ in entries(name):
        table.setdefault(package, set()).add(version)
    return table


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    found = entries(name)
    assert len(found) > 20
    for package, version, hashes in found:
        assert hashes, f"{name}.txt: {package}=={version} has no hash"
        assert all(HASH.fullmatch(h) for h in hashes), f"{name}.txt: {package}"


@pytest.mark.parametrize("name", LOCKS)
def test_no_addresses_and_no_paths(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    for forbidden in ("://", "--index-url", "--extra-index-url", "--find-links", "@ ", "/home/"):
        assert forbidden not in text, f"{name}.txt contains {forbidden!r}"
    roots = re.findall(r"(?<![\w.-])/\w+", text)
    assert not roots, f"{name}.txt contains absolute paths {roots[:3]}"


@pytest.mark.parametrize("name", LOCKS)
def test_everything_that_the_project_asks_for_is_locked(name: str) -> None:
    locked = versions(name)
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(r for extra in LOCKS[name] for r in extras[extra])]
    for requirement in map(Requirement, wanted):
        package = canonicalize_name(requirement.name)
        assert package in locked, f"{name}.txt lacks {package}; run: make lock"
        for version in locked[package]:
            assert version in requirement.specifier, f"{package}=={version} against {requirement}"


def test_every_extra_is_in_some_lock() -> None:
    assert {e for extras in LOCKS.values() for e in extras} == set(PROJECT["optional-dependencies"])


def test_serving_on_a_cpu_needs_no_torch() -> None:
    cpu = versions("cpu")
    for package in cpu:
        assert not package.startswith(("torch", "nvidia", "lightning", "triton")), package


def test_what_is_served_is_what_was_tested() -> None:
    dev = versions("dev")
    for name in ("cpu", "cuda"):
        for package, found in versions(name).items():
            expected = dev.get(package, found)
            assert found <= expected, f"{package}: {name}.txt {found}, dev.txt {expected}"


@pytest.mark.parametrize("name", ["dev", "cuda"])
def test_torch_and_torchvision_are_a_pair(name: str) -> None:
    named = (ROOT / "requirements" / "constraints.in").read_text()
    pair = dict(re.findall(r"^(torch|torchvision)==(\S+)$", named, re.M))
    locked = versions(name)
    assert {p: {Version(v)} for p, v in pair.items()} == {p: locked[p] for p in pair}
