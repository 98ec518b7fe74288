#!/usr/bin/env python3
"""What an API server would say to requests under printed admission policies, with a real CEL engine.

stdin: JSON
  manifests    ValidatingAdmissionPolicies and their bindings
  requests     {operation, resource, name, namespace, object, oldObject, namespaceObject}
  expressions  CEL without variables
stdout: JSON
  answers      for each request: matched (policies), denied (messages), errors (of expressions, each a denial)
  values       for each expression

The engine is pinned in requirements.txt; pip fetches it once into the user's cache folder.
"""

import base64
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import packages  # noqa: E402

packages.use(HERE / "requirements.txt")
from cel_expr_python import cel  # noqa: E402
from cel_expr_python.ext import ext_strings  # noqa: E402

ENVIRONMENT = cel.NewEnv(
    variables={name: cel.Type.DYN for name in ["object", "oldObject", "request", "namespaceObject", "variables"]},
    extensions=[ext_strings.ExtStrings()])


class Failed(Exception):
    """An expression that does not compile, or fails on this input."""


def evaluate(expression, data):
    try:
        value = ENVIRONMENT.compile(expression).eval(data=data)
    except RuntimeError as error:
        raise Failed(f"{expression}: {error}") from error
    if value.type() == cel.Type.ERROR:
        raise Failed(f"{expression}: {value.value()}")
    return value.plain_value()


def stored(obj):
    """As admission sees a Secret: stringData is in data, and what is null is absent."""
    if obj is None:
        return None
    obj = {key: value for key, value in obj.items() if value is not None}
    strings = obj.pop("stringData", None)
    if strings:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in strings.items()}
        obj["data"] = {**obj.get("data", {}), **encoded}
    return obj


def answer(manifests, request):
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "ValidatingAdmissionPolicy"}
    bindings = [m["spec"] for m in manifests if m["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert len(bindings) == len(policies), "a policy without a binding does nothing"
    said = {"matched": [], "denied": [], "errors": []}
    for binding in bindings:
        name = binding["policyName"]
        policy = policies[name]
        if not (rules_match(policy, request) and selector_matches(binding, request)):
            continue
        assert policy["failurePolicy"] == "Fail" and binding["validationActions"] == ["Deny"]
        judge(name, policy, request, said)
    return said


def judge(name, policy, request, said):
    data = {
        "object": stored(request.get("object")),
        "oldObject": stored(request.get("oldObject")),
        "namespaceObject": request.get("namespaceObject"),
        "request": {key: request.get(key, "") for key in ["operation", "name", "namespace"]},
        "variables": {},
    }
    # One condition that is false outweighs one that fails.
    results = [attempt(condition["expression"], data) for condition in policy.get("matchConditions", [])]
    if any(result is False for result in results):
        return
    said["matched"].append(name)
    failures = [str(result) for result in results if isinstance(result, Failed)]
    if failures:
        said["errors"] += failures
        return
    for variable in policy.get("variables", []):
        # The API server evaluates a variable when it is used: one that fails is missed only then.
        value = attempt(variable["expression"], data)
        if not isinstance(value, Failed):
            data["variables"][variable["name"]] = value
    for validation in policy["validations"]:
        result = attempt(validation["expression"], data)
        if isinstance(result, Failed):
            said["errors"].append(str(result))
        elif result is not True:
            text = attempt(validation.get("messageExpression", '""'), data)
            good = isinstance(text, str) and text.strip() and "\n" not in text
            said["denied"].append(text if good else validation["message"])


def attempt(expression, data):
    try:
        return evaluate(expression, data)
    except Failed as failed:
        return failed


def rules_match(policy, request):
    return any(
        request["operation"] in rule["operations"] and request["resource"] in rule["resources"]
        for rule in policy["matchConstraints"]["resourceRules"])


def selector_matches(binding, request):
    labels = binding.get("matchResources", {}).get("namespaceSelector", {}).get("matchLabels", {})
    return all({"kubernetes.io/metadata.name": request["namespace"]}.get(key) == value for key, value in labels.items())


def main():
    asked = json.load(sys.stdin)
    answers = [answer(asked["manifests"], request) for request in asked.get("requests", [])]
    values = [evaluate(expression, {}) for expression in asked.get("expressions", [])]
    json.dump({"answers": answers, "values": values}, sys.stdout)


if __name__ == "__main__":
    main()
