"""Terraform's schemas from the npm packages @cdktf/provider-*, cut to what the templates use.

The packages carry their TypeScript in source maps, and there a comment says of each argument
whether it is required, and the code of what type it is.
"""

import base64
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
TERRAFORM = HERE.parents[2] / "template" / "deploy" / "terraform"
PROVIDERS = ("aws", "google", "azurerm", "random", "http")
FIELD = re.compile(
    r"^\s*// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\s*$",
    re.M,
)
MAP = "sourceMappingURL=data:application/json;base64,"
PLAIN = {"String": "string", "Number": "number", "Boolean": "bool"}
MAPS = {
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "AnyMap": ["map", "dynamic"],
    "StringMapList": ["list", ["map", "string"]],
}
CONFIG = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
    "any": "dynamic",
}


def attribute(kind, **flags):
    return {
        "type": kind,
        "computed": False,
        "optional": not flags.get("required"),
        "required": False,
    } | flags


def block(attributes, blocks=None, nest="list1"):
    return {
        "nest": nest,
        "min": 0,
        "block": {"attributes": attributes, "blocks": blocks or {}},
    }


def statement():
    """What a rule of a firewall looks for: `any` in the packages, as much of it as we use here."""
    text = attribute("string", required=True)
    override = block(
        {"name": text},
        {"action_to_use": block({}, {name: block({}) for name in ("allow", "block", "count")})},
        "list",
    )
    return block(
        {},
        {
            "rate_based_statement": block(
                {"limit": attribute("number", required=True), "aggregate_key_type": text}
            ),
            "managed_rule_group_statement": block(
                {"name": text, "vendor_name": text}, {"rule_action_override": override}
            ),
        },
    )


def source(path):
    text = path.read_text(encoding="utf-8")
    at = text.rfind(MAP)
    if at < 0:
        return ""
    return json.loads(base64.b64decode(text[at + len(MAP) :].strip()))["sourcesContent"][0]


def classes(text):
    found = [
        (m.start(), m[1], m[2])
        for m in re.finditer(r"^export class (\w+) extends cdktf\.(\w+)", text, re.M)
    ]
    ends = [start for start, *_ in found[1:]] + [len(text)]
    return {
        name: (base, text[start:end]) for (start, name, base), end in zip(found, ends, strict=False)
    }


def storage(text):
    """Of each class its arguments: whether a block, how often, of what type."""
    found = {}
    for m in re.finditer(r"function (\w+)ToHclTerraform\(|synthesizeHclAttributes\(\)", text):
        body = text[m.end() :]
        body = body[: body.find("// remove undefined attributes")]
        found[(m[1] or "__root__").lower()] = {
            a[1]: (a[2] == "true", a[3], a[4])
            for a in re.finditer(
                r'^\s+"?(\w+)"?: \{\s*\n\s*value: [^\n]*\n\s*isBlock: (true|false),\s*\n'
                r'\s*type: "(\w+)",\s*\n\s*storageClassType: "([^"]+)"',
                body,
                re.M,
            )
        }
    return found


def fields(body):
    found = list(FIELD.finditer(body))
    ends = [m.start() for m in found[1:]] + [len(body)]
    for m, end in zip(found, ends, strict=False):
        computed, optional, required = (one == "true" for one in m.groups()[1:])
        flags = {"computed": computed, "optional": optional, "required": required}
        yield m[1], flags, body[m.end() : end]


def primitive(body):
    getter = re.search(r"get (\w+)\(\)(?:: [^{]+)?\s*\{\s*\n\s*return ([^\n]+)\n", body)
    text = getter[2] if getter else body
    several = "set" if "Fn.tolist" in text else "list"
    found = re.search(r"get(\w+?)Attribute\(", text)
    if "interpolationForAttribute" in text or not found:
        return "dynamic"
    kind = found[1]
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in {"List", "NumberList"}:
        return [several, "string" if kind == "List" else "number"]
    return MAPS.get(kind, ["map", "string"] if kind.endswith("Map") else "dynamic")


def as_type(nest, made):
    members = {name: one["type"] for name, one in made["attributes"].items()}
    members |= {name: as_type(one["nest"], one["block"]) for name, one in made["blocks"].items()}
    kind = ["object", members]
    return kind if nest == "single" else [nest.replace("list1", "list"), kind]


def schema(text, known, kept, name, key):
    attributes, blocks = {}, {}
    for argument, flags, body in fields(known[name][1]):
        made = re.search(
            rf'new ((?:cdktf\.|\w+\.)?\w+)\(this, "{argument}"(?:, (true|false))?\)',
            body.split("public get")[0],
        )
        if not made or made[1].startswith("cdktf."):
            kind = MAPS.get(made[1][6:], ["map", "string"]) if made else primitive(body)
            attributes[argument] = {"type": kind, **flags}
            continue
        base = re.sub(r"(OutputReference|List|Map)$", "", made[1])
        inner = {"attributes": {}, "blocks": {}}
        if f"{base}OutputReference" in known:
            inner = schema(text, known, kept, f"{base}OutputReference", base.lower())
        told = kept.get(key, {}).get(argument)
        if made[1].endswith("OutputReference"):
            nest = "single" if told and told[1] == "struct" else "list1"
        elif made[1].endswith("Map"):
            nest = "map"
        else:
            nest = "set" if made[2] == "true" or (told and told[1] == "set") else "list"
        if flags["computed"]:
            attributes[argument] = {"type": as_type(nest, inner), **flags}
        else:
            blocks[argument] = {"nest": nest, "min": int(flags["required"]), "block": inner}
    return {"attributes": attributes, "blocks": blocks}


def configuration(kept, key="__root__"):
    made = {"attributes": {}, "blocks": {}}
    for name, (is_block, _, stored) in kept.get(key, {}).items():
        if is_block:
            inner = configuration(kept, re.sub(r"List$", "", stored).lower())
            made["blocks"][name] = {"nest": "list", "min": 0, "block": inner}
        else:
            made["attributes"][name] = attribute(CONFIG.get(stored, "string"))
    return made


def read(package, wanted):
    found = {"provider": {}, "version": "", "resource": {}, "data": {}}
    for path in sorted(package.glob("lib/*/index.js")):
        text = source(path)
        for more in sorted((path.parent / "index-structs").glob("*.js")):
            text = source(more) + "\n" + text
        kept = storage(text)
        known = classes(text)
        for name, (base, body) in known.items():
            if base == "TerraformProvider":
                found["provider"] = configuration(kept)
                version = re.search(r"providerVersion: '([^']+)'", body)
                found["version"] = version[1] if version else "0"
            elif base in {"TerraformResource", "TerraformDataSource"}:
                kind = "data" if base == "TerraformDataSource" else "resource"
                type_ = re.search(r'tfResourceType = "([^"]+)"', body)[1]
                if (kind, type_) in wanted:
                    found[kind][type_] = schema(text, known, kept, name, "__root__")
    return found


def main(modules):
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(TERRAFORM.rglob("*.tf")))
    wanted = set(re.findall(r'^(resource|data) "(\w+)"', text, re.M))
    for provider in PROVIDERS:
        found = read(Path(modules) / "@cdktf" / f"provider-{provider}", wanted)
        if "aws_wafv2_web_acl" in found["resource"]:
            rule = found["resource"]["aws_wafv2_web_acl"]["blocks"]["rule"]["block"]
            rule["attributes"].pop("statement")
            rule["blocks"]["statement"] = statement() | {"min": 1}
        target = HERE / "schemas" / f"{provider}.json"
        target.write_text(json.dumps(found, sort_keys=True, separators=(",", ":")) + "\n")
        wanted -= {(kind, name) for kind in ("resource", "data") for name in found[kind]}
    if wanted:
        sys.exit(f"In none of the packages: {sorted(wanted)}")


if __name__ == "__main__":
    main(sys.argv[1])
