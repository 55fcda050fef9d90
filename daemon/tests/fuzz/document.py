"""Checks an OpenAPI document: by a strict validator, and by the rules of this house. document.py FILE"""

import json
import re
import sys

import jsonschema
from openapi_spec_validator import validate

document = json.load(open(sys.argv[1], encoding="utf-8"))
validate(document)
schemas = document["components"]["schemas"]
faults, ids = [], {}


def refers(value):
    """All references below a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from refers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from refers(inner)


def examples(value, where):
    """All schemas with examples below a value: their own examples must fit them."""
    if isinstance(value, dict):
        for example in value.get("examples", []) if isinstance(value.get("examples"), list) else []:
            whole = {**value, "components": document["components"]}
            for error in jsonschema.Draft202012Validator(whole).iter_errors(example):
                faults.append(f"{where}: example {example!r}: {error.message}")
        for key, inner in value.items():
            examples(inner, f"{where}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            examples(inner, f"{where}/{number}")


for name in schemas:
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        faults.append(f"schema {name}: not a clean name")
for name in {ref.rsplit("/", 1)[1] for ref in refers(document) if "/schemas/" in ref} - set(schemas):
    faults.append(f"schema {name}: referred to and not there")
unused = set(schemas) - {ref.rsplit("/", 1)[1] for ref in refers(document)}
if unused:
    faults.append(f"schemas that nothing refers to: {sorted(unused)}")
examples(schemas, "schemas")

operations = 0
for path, item in document["paths"].items():
    for method, operation in item.items():
        operations += 1
        where = f"{method.upper()} {path}"
        identity = operation.get("operationId", "")
        if not re.fullmatch(r"[a-z][A-Za-z0-9]*", identity):
            faults.append(f"{where}: operation id {identity!r}")
        if identity in ids:
            faults.append(f"{where}: the operation id of {ids[identity]}")
        ids[identity] = where
        if not operation.get("summary") or not operation.get("tags"):
            faults.append(f"{where}: no summary or no tag")
        for parameter in operation.get("parameters", []):
            if not parameter.get("description"):
                faults.append(f"{where}: parameter {parameter['name']} is not described")
        if "requestBody" in operation:
            if "required" not in operation["requestBody"] or not operation["requestBody"].get("description"):
                faults.append(f"{where}: its body lacks `required` or a description")
        wanted = {"400", "403", "500", "503"} | ({"404"} if "{" in path else set())
        if missing := wanted - set(operation["responses"]):
            faults.append(f"{where}: errors are missing: {sorted(missing)}")
        if not any(status.startswith(("1", "2")) for status in operation["responses"]):
            faults.append(f"{where}: no answer but errors")

print(f"{operations} operations, {len(schemas)} schemas, {len(faults)} faults")
if faults:
    sys.exit("\n".join(faults))
