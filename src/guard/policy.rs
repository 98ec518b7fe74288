//! The objects of `admissionregistration.k8s.io/v1`, and the expressions in them.
//!
//! The defaults that an API server would fill into lists are written out, so that a GitOps tool sees no difference.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{DELETE, Guarded, RELEASE, cel};

const API_VERSION: &str = "admissionregistration.k8s.io/v1";

/// What it says about each update of a Secret that holds keys.
const LOST: &str = "helm-keyring: a key would be changed or removed, and what it encrypted could not be read again";
const LOST_FIELDS: &str = "\
\"helm-keyring: \" + variables.lost.join(\", \")
+ \" would be changed or removed, and what it encrypted could not be read again\"
+ \" (break glass: annotation helm-keyring/release on the Secret, before the update)\"";
const IMMUTABLE: &str = "helm-keyring: immutable may not be switched on, or the next key could not be added";

/// An object of the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<S> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: S,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
}

/// What a `ValidatingAdmissionPolicy` says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    failure_policy: &'static str,
    match_constraints: MatchConstraints,
    match_conditions: Vec<Named>,
    variables: Vec<Named>,
    validations: Vec<Validation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MatchConstraints {
    match_policy: &'static str,
    resource_rules: Vec<ResourceRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceRule {
    api_groups: [&'static str; 1],
    api_versions: [&'static str; 1],
    operations: Vec<&'static str>,
    resources: [&'static str; 1],
    scope: &'static str,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    expression: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    expression: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expression: Option<&'static str>,
    reason: &'static str,
}

/// What a `ValidatingAdmissionPolicyBinding` says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    policy_name: String,
    validation_actions: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    match_resources: Option<MatchResources>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MatchResources {
    namespace_selector: NamespaceSelector,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceSelector {
    match_labels: BTreeMap<&'static str, String>,
}

/// The policy of a Secret.
pub fn secret(name: &str, guarded: &Guarded<'_>, deny_delete: bool) -> Manifest<Policy> {
    let is_field = cel::is_field(guarded.spec);
    let mut match_conditions = Vec::new();
    if let Some(pattern) = &guarded.secret {
        match_conditions.push(Named { name: "has-the-name", expression: cel::has_name(pattern) });
    }
    match_conditions.push(Named {
        name: "holds-keys",
        expression: format!("has(oldObject.data) && oldObject.data.exists(k, {is_field})"),
    });
    let on_update = |expression: &str| match deny_delete {
        true => format!("request.operation == \"DELETE\"\n|| {expression}"),
        false => expression.to_owned(),
    };
    let mut variables = variables(guarded, &is_field);
    let mut validations = vec![
        Validation {
            expression: on_update("size(variables.lost) == 0"),
            message: LOST.to_owned(),
            message_expression: Some(LOST_FIELDS),
            reason: "Forbidden",
        },
        Validation {
            expression: on_update(
                "!(has(object.immutable) && object.immutable)\n|| (has(oldObject.immutable) && oldObject.immutable)",
            ),
            message: IMMUTABLE.to_owned(),
            message_expression: None,
            reason: "Forbidden",
        },
    ];
    if deny_delete {
        variables.push(deletable());
        validations.push(Validation {
            // A namespace that is being deleted must not wait for this Secret for ever.
            expression: "request.operation != \"DELETE\"\n\
                         || has(namespaceObject.metadata.deletionTimestamp)\n\
                         || variables.deletable == oldObject.metadata.name"
                .to_owned(),
            message: format!(
                "helm-keyring: the Secret holds keys; to delete it all the same, annotate it with {DELETE} and its \
                 own name first"
            ),
            message_expression: None,
            reason: "Forbidden",
        });
    }
    let operations = if deny_delete { vec!["UPDATE", "DELETE"] } else { vec!["UPDATE"] };
    manifest(
        "ValidatingAdmissionPolicy",
        name,
        Policy {
            failure_policy: "Fail",
            match_constraints: match_constraints("secrets", "Namespaced", operations),
            match_conditions,
            variables,
            validations,
        },
    )
}

fn variables(guarded: &Guarded<'_>, is_field: &str) -> Vec<Named> {
    let mut lost = format!(
        "oldObject.data.filter(k,\n  ({is_field})\n  && k != variables.released\n  \
         && !(k in variables.after && variables.after[k] == oldObject.data[k])"
    );
    if let Some(moved) = cel::has_moved(guarded.spec) {
        lost.push_str(&format!("\n  && !({moved})"));
    }
    lost.push(')');
    vec![
        Named { name: "after", expression: "has(object.data) ? object.data : {}".to_owned() },
        Named { name: "released", expression: cel::annotation(RELEASE) },
        Named { name: "lost", expression: lost },
    ]
}

fn deletable() -> Named {
    Named { name: "deletable", expression: cel::annotation(DELETE) }
}

/// The policy of a namespace: while its Secret may not be deleted, neither may it, or it would hang half deleted.
pub fn namespace(name: &str, namespace: &str) -> Manifest<Policy> {
    manifest(
        "ValidatingAdmissionPolicy",
        name,
        Policy {
            failure_policy: "Fail",
            match_constraints: match_constraints("namespaces", "Cluster", vec!["DELETE"]),
            match_conditions: vec![Named { name: "has-the-name", expression: cel::has_name(namespace) }],
            variables: vec![deletable()],
            validations: vec![Validation {
                expression: "has(oldObject.metadata.deletionTimestamp)\n\
                             || variables.deletable == oldObject.metadata.name"
                    .to_owned(),
                message: format!(
                    "helm-keyring: the namespace holds keys; to delete it all the same, annotate it with {DELETE} \
                     and its own name first"
                ),
                message_expression: None,
                reason: "Forbidden",
            }],
        },
    )
}

/// The binding that puts a policy in force, in one namespace or in all.
pub fn binding(policy: &str, namespace: Option<&str>) -> Manifest<Binding> {
    let selector = |namespace: &str| MatchResources {
        namespace_selector: NamespaceSelector {
            // The API server itself sets this label, and nobody can change it.
            match_labels: BTreeMap::from([("kubernetes.io/metadata.name", namespace.to_owned())]),
        },
    };
    manifest(
        "ValidatingAdmissionPolicyBinding",
        policy,
        Binding {
            policy_name: policy.to_owned(),
            validation_actions: ["Deny"],
            match_resources: namespace.map(selector),
        },
    )
}

fn manifest<S>(kind: &'static str, name: &str, spec: S) -> Manifest<S> {
    Manifest { api_version: API_VERSION, kind, metadata: Metadata { name: name.to_owned() }, spec }
}

fn match_constraints(resource: &'static str, scope: &'static str, operations: Vec<&'static str>) -> MatchConstraints {
    MatchConstraints {
        match_policy: "Equivalent",
        resource_rules: vec![ResourceRule {
            api_groups: [""],
            api_versions: ["v1"],
            operations,
            resources: [resource],
            scope,
        }],
    }
}
