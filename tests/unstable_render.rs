//! What differs between two renders of real Helm, told as a user reads it.
//!
//! `UPDATE_GOLDEN=1` writes what is told into the `expected.txt` of each chart; read it before you keep it.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::fs;
use std::path::Path;

use common::{HELMS, helm_template};
use helm_keyring::report::human;
use helm_keyring::unstable::{differences, explained};

const CHARTS: [&str; 3] = ["password", "certificate", "checksum"];

/// The chart's folder as a user in the repository's root names it, so that messages are the same everywhere.
fn folder(chart: &str) -> String {
    format!("testdata/charts/unstable/{chart}")
}

/// The findings on two renders of a chart.
fn told(helm: &str, chart: &str, more: &[&str]) -> String {
    let folder = folder(chart);
    let args = [&["app", folder.as_str()], more].concat();
    let (first, second) = (helm_template(helm, &args), helm_template(helm, &args));
    human(&explained(&differences(&first, &second), Path::new(&folder)))
}

#[test]
fn what_differs_is_told_with_the_place_that_made_it_up() {
    for chart in CHARTS {
        let file = format!("{}/expected.txt", folder(chart));
        for helm in HELMS {
            let told = told(helm, chart, &[]);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&file, &told).expect("a file");
            }
            assert_eq!(told, fs::read_to_string(&file).expect("expected.txt"), "{chart} with {helm}");
        }
    }
}

#[test]
fn with_everything_given_nothing_differs() {
    for chart in CHARTS {
        let values = format!("{}/ci/values-stable.yaml", folder(chart));
        for helm in HELMS {
            assert_eq!(told(helm, chart, &["-f", &values]), "", "{chart} with {helm}");
        }
    }
}
