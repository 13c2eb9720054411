"""Reads a document of ours with the program that others read it with, and prints what that took it for: a JSON list with
the name and the status of each test. Whatever it does not accept ends it with an error."""

import json
import sys


def junit(path):
    from junitparser import JUnitXml

    whole = JUnitXml.fromfile(path)
    found = []
    for suite in whole:
        cases = list(suite)
        if (suite.tests, len(cases)) != (len(cases),) * 2:
            raise SystemExit(f"{suite.name} says {suite.tests} tests and has {len(cases)}")
        for case in cases:
            kinds = [type(result).__name__ for result in case.result]
            found.append((f"{case.classname}/{case.name}", "+".join(kinds) or "Success"))
    said = [whole.tests or 0, whole.failures or 0, whole.errors or 0]
    counted = [len(found)] + [sum(kind == word for _, kind in found) for word in ("Failure", "Error")]
    if said != counted:
        raise SystemExit(f"the document says {said} and has {counted}")
    return found


def kcidb(path):
    from kcidb_io import schema

    with open(path) as file:
        document = json.load(file)
    schema.LATEST.validate(document)
    if not schema.LATEST.is_compatible_exactly(document):
        raise SystemExit("the document is of another version than the newest")
    known = {kind: {it["id"] for it in document.get(kind, [])} for kind in ("checkouts", "builds", "tests")}
    for kind, ids in known.items():
        if len(ids) != len(document.get(kind, [])):
            raise SystemExit(f"two of the {kind} have the same id")
        for it in document.get(kind, []):
            # The schema does not look whether an id belongs to its origin, and the database does.
            if it["id"].split(":")[0] != it["origin"]:
                raise SystemExit(f"{it['id']} is not of the origin {it['origin']}")
    for build in document.get("builds", []):
        if build["checkout_id"] not in known["checkouts"]:
            raise SystemExit(f"{build['id']} is of an unknown checkout")
    for test in document.get("tests", []):
        if test["build_id"] not in known["builds"]:
            raise SystemExit(f"{test['id']} is of an unknown build")
    # What its parser of command lines and its database do with it.
    schema.LATEST.count(schema.LATEST.dedup(document))
    return [(test["path"], test["status"]) for test in document.get("tests", [])]


def tmt(path):
    import fmf.utils
    import tmt
    import tmt.utils

    with open(path) as file:
        results = tmt.utils.yaml_to_list(file.read())
    schema = tmt.utils.load_schema(tmt.utils.Path("results.yaml"))
    judged = fmf.utils.validate_data(results, schema, schema_store=tmt.utils.load_schema_store())
    if judged.errors:
        raise SystemExit("\n".join(str(error) for error in judged.errors))
    found = [tmt.Result.from_serialized(result) for result in results]
    return [(result.name, result.result.value) for result in found]


def tmt_run(path):
    """What tmt has at the end of a run: this is its own file, and not what it takes from tests."""
    import tmt.utils

    with open(path) as file:
        return [(result["name"], result["result"]) for result in tmt.utils.yaml_to_list(file.read())]


def validator(path):
    from jsonschema import Draft202012Validator

    with open(path) as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def records(path, schema):
    lines = validator(schema)
    found = []
    with open(path, newline="\n") as file:
        for line in file:
            record = json.loads(line)
            lines.validate(record)
            if "case" in record:
                found.append((record["case"]["case"], record["case"]["verdict"]))
    return found


def report(path, schema):
    with open(path) as file:
        document = json.load(file)
    validator(schema).validate(document)
    if sum(document["summary"]["counts"].values()) != len(document["cases"]):
        raise SystemExit("the summary counts other than there is")
    return list(document["results"].items())


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
