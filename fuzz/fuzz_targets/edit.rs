//! `render` on any stream: refused, or the stream with the keys in it and nothing else changed.
//!
//! The input is the stream itself, so a finding is a test case as it stands. What leaves is read again without the
//! code that edits: as plain values.

#![no_main]

mod mutate;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use helm_keyring::config::{Emit, Overrides, Selection};
use helm_keyring::key::KeyText;
use helm_keyring::keyring::Numbered;
use helm_keyring::lock::Lock;
use helm_keyring::manifest::split;
use helm_keyring::profile::{self, FieldName, FieldSpec};
use helm_keyring::render::{ANNOTATION, Request, Show, is_blank, render};
use helm_keyring::report::human;
use helm_keyring::source::{Error, Source};
use helm_keyring::values::Known;
use helm_keyring::yaml::Value;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use memchr::memmem;
use serde_json::Value as Json;

/// What the source holds: base64 of 32 random bytes each.
const KEYS: [&str; 3] = [
    "DLHHULz7fcE/eGwUW+iS/BfRbEd0TPHoXLvzl0U4pws=",
    "MdQUmN9a9ZxzgkO45SIHlpP+DVI+lRbOBp7+KIH3OOM=",
    "tzX+z57EOrLUIZWOhPjImS+W66Ie56uRgoJrPUwAO30=",
];

/// A profile, and the same with each form of delivery.
struct Chart {
    /// Whether this is the name of one of the profile's fields.
    is_field: fn(&str) -> bool,
    /// The fields that are delivered, one a key.
    fields: &'static [&'static str],
    /// What occurs in every document that may be edited.
    markers: &'static [&'static str],
    selections: [Selection; 3],
}

static CHARTS: LazyLock<[Chart; 2]> = LazyLock::new(|| {
    [
        Chart {
            is_field: |name| {
                let number = name.strip_prefix("encryption-key-").unwrap_or_default();
                number.parse::<u32>().is_ok_and(|n| n.to_string() == number)
            },
            fields: &["encryption-key-0", "encryption-key-1", "encryption-key-2"],
            markers: &["encryption-key-", "-keyring"],
            selections: selections("lightrun"),
        },
        Chart {
            is_field: |name| ["devmesh-encryption-key", "encryption-master-key"].contains(&name),
            fields: &["devmesh-encryption-key", "encryption-master-key"],
            markers: &["devmesh-encryption-key", "encryption-master-key", "encryption-keys"],
            selections: selections("devmesh"),
        },
    ]
});

fn selections(profile: &str) -> [Selection; 3] {
    [None, Some(Emit::Secret), Some(Emit::None)].map(|emit| {
        let profile = profile::shipped(profile).expect("shipped").expect("valid");
        let selection = Selection::without_config(profile, &Overrides { emit, ..Overrides::default() }).expect("fits");
        Selection { environment: Some("fuzz".to_owned()), ..selection }
    })
}

/// Every key that the source has.
static LOCK: LazyLock<Lock> = LazyLock::new(|| {
    let mut lock = Lock::new("keyring.lock", [0; 16]);
    for chart in CHARTS.iter() {
        let selection = &chart.selections[0];
        let specs: Vec<&FieldSpec> = selection.profile.rings().map(|(_, spec)| spec).collect();
        for (spec, keys) in specs.iter().zip(Fixed.fetch(&specs).expect("keys")) {
            for (number, key) in keys {
                lock.add(selection.owner().expect("an environment"), spec, number, &key).expect("locked");
            }
        }
    }
    lock
});

struct Fixed;

impl Source for Fixed {
    fn describe(&self) -> String {
        "three fixed keys".to_owned()
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let key = |text: &str| KeyText::from(text.as_bytes().to_vec());
        let ring = |(i, ring): (usize, &&FieldSpec)| match ring.name {
            FieldName::Numbered(..) => (0..).zip(KEYS.map(key)).collect(),
            FieldName::Fixed(_) => Numbered::from([(0, key(KEYS[i]))]),
        };
        Ok(rings.iter().enumerate().map(ring).collect())
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { mutate::mutate(data, size, max_size, seed) });

fuzz_target!(|stream: &[u8]| {
    for chart in CHARTS.iter().filter(|chart| holds_any(stream, chart.markers)) {
        let outputs = chart.selections.each_ref().map(|selection| (selection, rendered(stream, selection)));
        for (selection, output) in &outputs {
            if let Some(output) = output {
                check(stream, output, chart, selection);
            }
        }
        let [(_, default), (_, with_secret), _] = outputs;
        assert!(default.is_none() || default == with_secret, "`emit: Secret` is the default");
    }
});

fn rendered(stream: &[u8], selection: &Selection) -> Option<Vec<u8>> {
    let request = Request {
        selections: std::slice::from_ref(selection),
        values: &Known::Unknown { reason: "nothing was said".to_owned() },
        claimed: BTreeSet::new(),
        guarded: &[],
        lock: Some(&LOCK),
        allow_no_target: false,
        show: Show::Keys,
        open: &|_, _| Some(Box::new(Fixed)),
    };
    let (output, findings) = match render(stream, &request) {
        Ok(outcome) => (Some(outcome.stream.chunks().collect::<Vec<_>>().concat()), outcome.findings),
        Err(refusal) => (None, refusal.0),
    };
    let words = human(&findings);
    for key in KEYS.iter().filter(|key| !holds(stream, key)) {
        assert!(!words.contains(key), "a key in words");
    }
    output
}

fn check(stream: &[u8], output: &[u8], chart: &Chart, selection: &Selection) {
    assert!(rendered(output, selection).as_deref() == Some(output), "rendered again, the output changes");
    only_the_keyring_differs(stream, output, chart, selection);
    let secrets: Vec<Json> = objects(output).into_iter().filter(|o| o["kind"] == "Secret").collect();
    let has_keys = |secret: &Json| chart.fields.iter().zip(KEYS).all(|(f, key)| secret["data"][f] == STANDARD.encode(key));
    let delivered: Vec<&Json> = secrets.iter().filter(|secret| has_keys(secret)).collect();
    if selection.emit != Some(Emit::None) {
        assert!(!delivered.is_empty(), "no Secret has the keys");
    }
    if let [secret] = delivered[..] {
        let names = |place: &str| secret[place].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
        assert_eq!(names("data").iter().filter(|name| (chart.is_field)(name)).count(), chart.fields.len());
        assert!(!names("stringData").iter().any(|name| (chart.is_field)(name)), "stringData would win");
        for deployment in objects(output).iter().filter(|o| o["kind"] == "Deployment") {
            mounts_all(deployment, &secret["metadata"]["name"], chart);
        }
    }
    for (field, key) in chart.fields.iter().zip(KEYS) {
        let encoded = STANDARD.encode(key);
        assert!(holds(stream, key) || !holds(output, key), "{field} is there in plain text");
        let expected = usize::from(selection.emit != Some(Emit::None));
        assert!(holds(stream, &encoded) || count(output, &encoded) == expected, "{field} is not there once");
    }
}

/// What a Deployment mounts of the Secret's ring it mounts whole.
fn mounts_all(deployment: &Json, secret: &Json, chart: &Chart) {
    let spec = &deployment["spec"]["template"]["spec"];
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        return;
    }
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    for volume in volumes.filter(|volume| secret.is_string() && &volume["secret"]["secretName"] == secret) {
        let items = volume["secret"]["items"].as_array().into_iter().flatten();
        let mut mounted: Vec<&str> = items.filter_map(|item| item["key"].as_str()).filter(|key| (chart.is_field)(key)).collect();
        mounted.sort_unstable();
        if chart.fields.len() == KEYS.len() && !mounted.is_empty() {
            assert_eq!(mounted, chart.fields);
        }
    }
}

/// Annotations that a render sets.
const OURS: [&str; 3] = [ANNOTATION, "helm.sh/resource-policy", "argocd.argoproj.io/sync-options"];

/// A piece of a stream, without what may differ between input and output.
#[derive(Debug, PartialEq)]
enum View {
    /// Foreign, or unreadable: its bytes.
    Foreign(Vec<u8>),
    /// Its value without what a keyring adds.
    Ours(Json),
}

fn only_the_keyring_differs(stream: &[u8], output: &[u8], chart: &Chart, selection: &Selection) {
    let mut before = views(stream, chart, selection);
    let mut after = views(output, chart, selection);
    if selection.emit == Some(Emit::Secret) && before.len() != after.len() {
        // An own Secret stands before the first consumer, and may cut comments off it.
        for views in [&mut before, &mut after] {
            views.retain(|view| !matches!(view, View::Foreign(bytes) if is_blank(bytes)));
        }
        let own = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
        assert!(matches!(&after[own], View::Ours(own) if own["kind"] == "Secret"));
        after.remove(own);
    }
    assert_eq!(before, after, "more than the keyring differs");
}

fn views(stream: &[u8], chart: &Chart, selection: &Selection) -> Vec<View> {
    let view = |piece: &[u8]| {
        // A Secret of the right name is filled, whatever it holds.
        let may_be_ours = holds_any(piece, chart.markers) || holds_any(piece, &["Secret", "\\", "!!binary"]);
        match value(piece).filter(|_| may_be_ours) {
            Some(value) => View::Ours(without_keyring(value, chart, selection)),
            None => View::Foreign(piece.to_vec()),
        }
    };
    split(stream).into_iter().map(|piece| view(&stream[piece])).collect()
}

fn without_keyring(value: Json, chart: &Chart, selection: &Selection) -> Json {
    let map = match value {
        Json::Array(items) => return items.into_iter().map(|item| without_keyring(item, chart, selection)).collect(),
        Json::Object(map) => map,
        other => return other,
    };
    let is_secret = map.get("kind").is_some_and(|kind| kind == "Secret");
    let names_secret = map.contains_key("secretName") || map.contains_key("name");
    let mut kept = serde_json::Map::new();
    for (name, value) in map {
        let mut value = without_keyring(value, chart, selection);
        match (name.as_str(), &mut value) {
            ("data" | "stringData", Json::Object(fields)) if is_secret => fields.retain(|field, _| !(chart.is_field)(field)),
            ("annotations", Json::Object(annotations)) => annotations.retain(|name, _| !OURS.contains(&name.as_str())),
            ("items", Json::Array(items)) if names_secret => {
                items.retain(|item| !item["key"].as_str().is_some_and(chart.is_field));
            }
            ("secretName" | "name", Json::String(name)) if selection.emit == Some(Emit::Secret) => {
                name.truncate(name.strip_suffix("-keyring").unwrap_or(name).len());
            }
            _ => {}
        }
        let may_be_empty = ["data", "stringData", "annotations", "metadata"].contains(&name.as_str());
        if !(may_be_empty && (value.is_null() || value == serde_json::json!({}))) {
            kept.insert(name, value);
        }
    }
    Json::Object(kept)
}

/// The objects of all documents that can be read, those of Lists too.
fn objects(stream: &[u8]) -> Vec<Json> {
    fn unfold(object: Json) -> Vec<Json> {
        match (object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")), &object["items"]) {
            (true, Json::Array(items)) => items.iter().cloned().flat_map(unfold).collect(),
            _ => vec![object],
        }
    }
    split(stream).into_iter().filter_map(|piece| value(&stream[piece])).flat_map(unfold).collect()
}

fn value(piece: &[u8]) -> Option<Json> {
    let text = std::str::from_utf8(piece).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Value::parse(text, 0).ok().map(|value| value.to_json())
}

fn holds_any(bytes: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| holds(bytes, word))
}

fn holds(bytes: &[u8], word: &str) -> bool {
    memmem::find(bytes, word.as_bytes()).is_some()
}

fn count(bytes: &[u8], word: &str) -> usize {
    memmem::find_iter(bytes, word.as_bytes()).count()
}
