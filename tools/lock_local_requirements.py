"""Writes src/local/requirements.txt: what the private AWS of --local installs, every file of it by hash.

    python3 tools/lock_local_requirements.py ministack==1.5.33 boto3

pip resolves the names, so its settings (PIP_INDEX_URL, certificates) hold; the hashes come from the same index
(PEP 691). A package that is compiled is listed with its wheels for CPython 3.11 to 3.14 on Linux and macOS, because
s3stack installs wheels only: building one would run code that no hash covers.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "local" / "requirements.txt"
PLATFORM = re.compile(r"-(any|(many|musl)linux[\w.]+_(x86_64|aarch64)|macosx[\w.]+)\.whl$")
COMPILED_FOR = re.compile(r"-cp3(11|12|13|14)-(cp3\d+|abi3)-")
PURE = re.compile(r"-py(2\.py)?3-none-any\.whl$")


def resolve(wanted):
    """{name: version} of the wanted packages and all that they need."""
    report = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input",
         "--only-binary=:all:", "--python-version=3.11", "--target=/nonexistent", "--report=-", *wanted],
        check=True, capture_output=True, text=True,
    ).stdout
    found = (entry["metadata"] for entry in json.loads(report)["install"])
    return {re.sub(r"[-_.]+", "-", entry["name"]).lower(): entry["version"] for entry in found}


def files(name, version):
    """(file name, sha256) of the wheels of one version that some supported machine would choose."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    request = urllib.request.Request(
        f"{index}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        listed = json.load(answer)["files"]
    for file in listed:
        parts = file["filename"].split("-")
        if len(parts) < 5 or parts[1] != version or not PLATFORM.search(file["filename"]):
            continue
        if PURE.search(file["filename"]) or COMPILED_FOR.search(file["filename"]):
            yield file["filename"], file["hashes"]["sha256"]


def main(wanted):
    lines = [
        "# Made by: python3 tools/lock_local_requirements.py " + " ".join(wanted),
        "# Installed with --require-hashes --no-deps --only-binary=:all: (src/local/environment.rs).",
    ]
    for name, version in sorted(resolve(wanted).items()):
        hashes = sorted({sha256 for _, sha256 in files(name, version)})
        if not hashes:
            sys.exit(f"{name} {version} has no wheel that Python 3.11 to 3.14 on Linux or macOS could use")
        lines.append(f"{name}=={version} \\")
        lines.append(" \\\n".join(f"    --hash=sha256:{sha256}" for sha256 in hashes))
    TARGET.write_text("\n".join(lines) + "\n")


main(sys.argv[1:])
