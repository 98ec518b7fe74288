//! Properties of the whole: foreign bytes stay, keys arrive, rendering again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::config::{Kubernetes, Names, Overrides, SecretStore, Source as SourceConfig, StoreKind, Stored};
use crate::key::KeyText;
use crate::keyring::Numbered;
use crate::profile::{FieldSpec, shipped};
use crate::source::Error;

const SMALL: &str = include_str!("../../testdata/streams/lightrun-small.yaml");
const KEYS: [&str; 2] =
    ["iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=", "Bmc6Ja3a/fiT8h4whYc3a7tRCtQdk2xYsFLVeNZLOGY="];

struct Fixed;

impl Source for Fixed {
    fn describe(&self) -> String {
        "the test".to_owned()
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let keys = || (0..).zip(KEYS.map(|key| KeyText::from(key.to_owned()))).collect();
        Ok(rings.iter().map(|_| keys()).collect())
    }
}

fn rendered(stream: &str) -> Result<String, Refusal> {
    rendered_with(stream, Overrides::default())
}

fn rendered_with(stream: &str, overrides: Overrides) -> Result<String, Refusal> {
    let profile = shipped("lightrun").expect("shipped").expect("valid");
    let source = overrides.source.clone().unwrap_or(SourceConfig::Env(BTreeMap::new()));
    let overrides = Overrides { source: Some(source), ..overrides };
    let selection =
        Selection { environment: Some("test".to_owned()), ..Selection::without_config(profile, &overrides)? };
    let mut lock = Lock::new("keyring.lock", [0; 16]);
    let spec = &selection.profile.secrets[0].fields[0];
    let owner = selection.owner().expect("an environment");
    lock.add(owner, spec, 0, &KeyText::from(KEYS[0].to_owned()))?;
    let request = Request {
        selections: std::slice::from_ref(&selection),
        values: &Known::Unknown { reason: "none".to_owned() },
        claimed: BTreeSet::new(),
        guarded: &[],
        lock: Some(&lock),
        allow_no_target: false,
        show: Show::Keys,
        open: &|_, _| Some(Box::new(Fixed)),
    };
    let outcome = render(stream.as_bytes(), &request)?;
    Ok(String::from_utf8(outcome.stream.chunks().flatten().copied().collect()).expect("UTF-8"))
}

/// As code asks for it that renders on behalf of somebody else.
fn external() -> Overrides {
    let kubernetes = Kubernetes {
        secret: "master".to_owned(),
        namespace: None,
        context: None,
        in_cluster: false,
        service_account: None,
    };
    let store = SecretStore { name: "store".to_owned(), kind: StoreKind::SecretStore };
    let source = SourceConfig::Kubernetes(Stored { place: kubernetes, names: Names::default() });
    Overrides {
        source: Some(source),
        emit: Some(Emit::ExternalSecret),
        secret_store: Some(store),
        ..Overrides::default()
    }
}

/// Documents of others, broken and odd ones among them.
fn foreign() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: 0644, y: 81111e1}\n",
        "# Source: only a comment\n",
        "\n",
        "\tbroken: [\n",
        "kind: Secret\nmetadata: {name: other}\nstringData:\n  password: x\n",
        "text: |\n  kind: Secret\n  ---\n  encryption: 1\n",
        "{\"kind\": \"Service\", \"metadata\": {\"name\": \"lr-backend\"}}\n",
        "kind: Pod\nspec: {containers: [{envFrom: [{secretRef: {name: lr-backend}}]}]}\n",
        "trailing: blanks   \n\n\n",
        "a: \"\\u00e9\\x41\"\r\nb: 1\r\n",
    ])
}

fn streams() -> impl Strategy<Value = (Vec<&'static str>, Vec<&'static str>, &'static str)> {
    let list = || prop::collection::vec(foreign(), 0..4);
    (list(), list(), prop::sample::select(vec!["\n", "\r\n"]))
}

proptest! {
    #[test]
    fn foreign_documents_stay_and_rendering_again_changes_nothing((before, behind, eol) in streams()) {
        let ours = SMALL.replace("@KEY@", "generated-by-the-chart-1234567890").replace('\n', eol);
        let joined = |documents: &[&str]| documents.iter().map(|d| format!("---\n{d}")).collect::<String>();
        let stream = format!("{}{ours}{}", joined(&before), joined(&behind));
        let out = rendered(&stream).map_err(|r| TestCaseError::fail(r.to_string()))?;
        prop_assert!(out.starts_with(&joined(&before)));
        prop_assert!(out.ends_with(&joined(&behind)));
        prop_assert!(!out.contains("generated-by-the-chart"));
        prop_assert_eq!(out.matches("- key: encryption-key-").count(), KEYS.len());
        prop_assert_eq!(rendered(&out).expect("its own output"), out);
    }

    /// The same, where another program delivers the keys.
    #[test]
    fn an_external_secret_changes_nothing_else((before, behind, eol) in streams()) {
        let ours = SMALL.replace("@KEY@", "generated-by-the-chart-1234567890").replace('\n', eol);
        let joined = |documents: &[&str]| documents.iter().map(|d| format!("---\n{d}")).collect::<String>();
        let stream = format!("{}{ours}{}", joined(&before), joined(&behind));
        let run = |stream: &str| rendered_with(stream, external()).map_err(|r| TestCaseError::fail(r.to_string()));
        let out = run(&stream)?;
        prop_assert!(out.starts_with(&joined(&before)));
        prop_assert!(out.ends_with(&joined(&behind)));
        prop_assert!(!out.contains("generated-by-the-chart"));
        prop_assert!(!KEYS.iter().any(|key| out.contains(key)));
        prop_assert_eq!(out.matches("kind: ExternalSecret").count(), 1);
        prop_assert_eq!(run(&out)?, out);
    }

    /// Cut anywhere: it is refused, or what is left is whole.
    #[test]
    fn a_truncated_stream_never_keeps_a_generated_key(cut in 0..SMALL.len()) {
        let stream = SMALL.replace("@KEY@", "generated-by-the-chart-1234567890");
        let Some(part) = stream.get(..cut) else { return Ok(()) };
        if let Ok(out) = rendered(part) {
            prop_assert!(!out.contains("generated-by-the-chart"), "{out}");
        }
    }
}

#[test]
fn an_own_secret_goes_before_directives_that_belong_to_the_consumer() {
    let deployment = SMALL.rsplit("---\n").next().expect("the last document");
    for prolog in ["", "# c\n", "---\n", "%YAML 1.1\n---\n", "\u{feff}# c\n%YAML 1.1\n--- # d\n"] {
        let run = |stream: &str| rendered_with(stream, Overrides { emit: Some(Emit::Secret), ..Overrides::default() });
        let out = run(&format!("{prolog}{deployment}")).unwrap_or_else(|refusal| panic!("{prolog:?}: {refusal}"));
        let documents = crate::yaml::documents(&out).unwrap_or_else(|error| panic!("{out}\n{error}"));
        assert_eq!(documents.len(), 2, "{out}");
        assert_eq!(run(&out).expect("its own output"), out);
    }
}
