//! `global`: what a chart shares with the charts in it.

use super::merge::{Map, Nulls, empty, underlay};
use crate::yaml::Data;

const GLOBAL: &str = "global";

/// What a chart has under `global` wins over what its dependency has there.
pub(super) fn hand_down(parent: &Map, child: &mut Map) {
    let nothing = Map::new();
    let above = match parent.get(GLOBAL).map(|entry| &entry.value.data) {
        None => &nothing,
        Some(Data::Map(above)) => above,
        Some(_) => return,
    };
    let span = parent.get(GLOBAL).map(|entry| entry.key).unwrap_or_default();
    let Data::Map(below) = &mut child.entry(GLOBAL.to_owned()).or_insert_with(|| empty(span)).value.data else {
        return;
    };
    for (key, entry) in above {
        let mut entry = entry.clone();
        match (&mut entry.value.data, below.get(key).map(|entry| &entry.value.data)) {
            (Data::Map(winner), Some(Data::Map(loser))) => underlay(winner, loser.clone(), Nulls::Keep),
            (Data::Map(_), None) => {}
            (Data::Map(_), Some(_)) | (_, Some(Data::Map(_))) => continue,
            _ => {}
        }
        below.insert(key.clone(), entry);
    }
}

/// Gives the mappings two levels below `global` that both have from one to the other.
///
/// Helm does not copy these but has one of each in memory: what a dependency adds there, its parent and its
/// siblings see.
pub(super) fn share(from: &Map, to: &mut Map) {
    let Some(Data::Map(from)) = from.get(GLOBAL).map(|entry| &entry.value.data) else { return };
    let Some(Data::Map(to)) = to.get_mut(GLOBAL).map(|entry| &mut entry.value.data) else { return };
    for (key, entry) in from {
        let Data::Map(from) = &entry.value.data else { continue };
        let Some(Data::Map(to)) = to.get_mut(key).map(|entry| &mut entry.value.data) else { continue };
        for (key, shared) in from.iter().filter(|(_, entry)| entry.value.map().is_some()) {
            if let Some(same) = to.get_mut(key).filter(|entry| entry.value.map().is_some()) {
                *same = shared.clone();
            }
        }
    }
}
