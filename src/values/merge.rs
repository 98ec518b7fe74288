//! How two mappings become one: mappings key by key, everything else whole.

use std::collections::BTreeMap;

use crate::yaml::{Data, Entry, Span, Value};

/// The entries of a mapping.
pub(super) type Map = BTreeMap<String, Entry>;

/// What becomes of a null that meets a default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// It stays, for a later step to act on.
    Keep,
    /// It takes itself and the default away.
    Delete,
}

/// Lays a later values file over the ones before it. Null is a value like any other here.
pub(super) fn overlay(base: &mut Map, top: Map) {
    for (key, mut entry) in top {
        if let Some(below) = base.get_mut(&key)
            && let (Data::Map(below), Data::Map(above)) = (&mut below.value.data, &mut entry.value.data)
        {
            overlay(below, std::mem::take(above));
            std::mem::swap(below, above);
        }
        base.insert(key, entry);
    }
}

/// Puts defaults under what the user says.
pub(super) fn underlay(values: &mut Map, defaults: Map, nulls: Nulls) {
    for (key, default) in defaults {
        let Some(entry) = values.get_mut(&key) else {
            values.insert(key, default);
            continue;
        };
        match (&mut entry.value.data, default.value.data) {
            (Data::Null, Data::Null) => {}
            (Data::Null, _) if nulls == Nulls::Delete => {
                values.remove(&key);
            }
            (Data::Map(values), Data::Map(defaults)) => underlay(values, defaults, nulls),
            _ => {}
        }
    }
}

/// Takes out every null of a mapping and of the mappings in it.
pub(super) fn drop_nulls(map: &mut Map) {
    map.retain(|_, entry| !matches!(entry.value.data, Data::Null));
    for entry in map.values_mut() {
        if let Data::Map(inner) = &mut entry.value.data {
            drop_nulls(inner);
        }
    }
}

/// An empty mapping.
pub(super) fn empty(span: Span) -> Entry {
    Entry { key: span, value: Value { data: Data::Map(Map::new()), span } }
}
