"""Writes what a release is made of (an SBOM, CycloneDX 1.6, JSON): the packages of requirements.lock and of npm.

    make sbom        writes dist/sbom.cdx.json

Runs in the environment of requirements-audit.lock. The lock file names the packages of every system, with their hashes;
licenses and who needs whom come from what .venv has installed, which lacks a package of another system.
The document is checked against CycloneDX's own schema before it is written.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_supported_id
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[1]
_LOCK = ROOT / "javascript" / "package-lock.json"
_IN_PAGES = "node_modules/"

Json = dict[str, Any]


def sbom(installed_in: Path) -> str:
    """The document. installed_in: the Python of an environment with the packages of requirements.lock.

    Raises:
        ValueError: the document breaks the schema; where.
    """
    document = _cyclonedx_py("requirements", str(ROOT / "requirements.lock"))
    installed = _cyclonedx_py("environment", str(installed_in))
    _complete(document, installed)
    _add_javascript(document)
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the document is not what CycloneDX 1.6 allows: {error}")
    return text


def _cyclonedx_py(*what: str) -> Json:
    command = Path(sys.executable).with_name("cyclonedx-py")
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--spec-version", "1.6", "--output-format", "JSON"]
    done = subprocess.run([command, *what, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    document: Json = json.loads(done.stdout)
    return document


def _complete(document: Json, installed: Json) -> None:
    """Licenses, descriptions and who needs whom, of what is installed."""
    known = {component["purl"]: component for component in installed["components"]}
    names = {known[part["purl"]]["bom-ref"]: part["purl"] for part in document["components"] if part["purl"] in known}
    for part in document["components"]:
        same = known.get(part["purl"], {})
        part["bom-ref"] = part["purl"]
        part.pop("description", None)  # the line of the lock file
        part.update({key: same[key] for key in ("description", "licenses") if key in same})
    root = installed["metadata"]["component"]["bom-ref"]
    names[root] = document["metadata"]["component"]["bom-ref"]
    document["dependencies"] = [
        {"ref": names[one["ref"]], "dependsOn": [names[ref] for ref in one.get("dependsOn", ()) if ref in names]}
        for one in installed["dependencies"]
        if one["ref"] in names
    ]


def _add_javascript(document: Json) -> None:
    """What the pages load from npm; what only their tests load is left out."""
    packages: dict[str, Json] = json.loads(_LOCK.read_text("utf-8"))["packages"]
    shipped = {path.removeprefix(_IN_PAGES): each for path, each in packages.items() if path and not each.get("dev")}
    names = {name: f"pkg:npm/{name.replace('@', '%40')}@{each['version']}" for name, each in shipped.items()}
    for name, each in shipped.items():
        algorithm, _, digest = each["integrity"].partition("-")
        license_ = {
            "id" if is_supported_id(each["license"]) else "name": each["license"],
            "acknowledgement": "declared",
        }
        document["components"].append(
            {
                "type": "library",
                "name": name,
                "version": each["version"],
                "purl": names[name],
                "bom-ref": names[name],
                "licenses": [{"license": license_}],
                "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": _hex(digest)}],
            }
        )
        needs = [names[other] for other in each.get("dependencies", ())]
        document["dependencies"].append({"ref": names[name], "dependsOn": needs})
    root = document["metadata"]["component"]["bom-ref"]
    needed = next(one for one in document["dependencies"] if one["ref"] == root)
    needed["dependsOn"] += [names[name] for name in packages[""]["dependencies"]]


def _hex(digest: str) -> str:
    return base64.b64decode(digest).hex()


if __name__ == "__main__":
    written, python = map(Path, sys.argv[1:])
    text = sbom(python)
    written.parent.mkdir(exist_ok=True)
    written.write_text(text, "utf-8")
    parts = json.loads(text)["components"]
    print(f"{written}: {len(parts)} packages, of {sum('licenses' in part for part in parts)} the license is known")
