//! The user's values over a chart's defaults, and over those of the charts in it.

use super::Error;
use super::chart::Chart;
use super::globals;
use super::merge::{Map, Nulls, drop_nulls, empty, underlay};
use crate::yaml::{Data, Entry};

/// Makes of the user's values what the chart's templates see; every dependency's values lie under its name.
pub(super) fn coalesce(chart: &Chart, values: &mut Map, nulls: Nulls) -> Result<(), Error> {
    upward(chart, values, nulls)?;
    downward(chart, values);
    Ok(())
}

fn upward(chart: &Chart, values: &mut Map, nulls: Nulls) -> Result<(), Error> {
    own_defaults(chart, values, nulls);
    for dependency in &chart.dependencies {
        let mut entry = values.remove(&dependency.name).unwrap_or_else(|| empty(dependency.span));
        let Data::Map(below) = &mut entry.value.data else {
            return Err(Error::NotForDependency { name: dependency.name.clone(), kind: entry.value.kind() });
        };
        globals::hand_down(values, below);
        upward(dependency, below, nulls)?;
        globals::share(below, values);
        values.insert(dependency.name.clone(), entry);
    }
    Ok(())
}

/// What a later dependency added to shared globals is seen by the earlier ones too.
fn downward(chart: &Chart, values: &mut Map) {
    for dependency in &chart.dependencies {
        let Some(mut entry) = values.remove(&dependency.name) else { continue };
        if let Data::Map(below) = &mut entry.value.data {
            globals::share(values, below);
            downward(dependency, below);
        }
        values.insert(dependency.name.clone(), entry);
    }
}

fn own_defaults(chart: &Chart, values: &mut Map, nulls: Nulls) {
    for (key, mut default) in chart.defaults.clone() {
        let for_dependency = chart.dependencies.iter().any(|dependency| dependency.name == key);
        match values.get_mut(&key).map(|entry| &mut entry.value.data) {
            None => {
                if keep_default(&mut default, nulls) {
                    values.insert(key, default);
                }
            }
            Some(Data::Null) if nulls == Nulls::Delete => {
                values.remove(&key);
            }
            Some(Data::Map(values)) => {
                // The dependency's own defaults are still to come, and nulls have to meet them.
                let nulls = if for_dependency { Nulls::Keep } else { nulls };
                keep_default(&mut default, nulls);
                if let Data::Map(defaults) = default.value.data {
                    underlay(values, defaults, nulls);
                }
            }
            Some(_) => {}
        }
    }
}

/// Rids a default of nulls where they delete; false if it is one itself.
fn keep_default(default: &mut Entry, nulls: Nulls) -> bool {
    if nulls == Nulls::Keep {
        return true;
    }
    if let Data::Map(map) = &mut default.value.data {
        drop_nulls(map);
    }
    !matches!(default.value.data, Data::Null)
}
