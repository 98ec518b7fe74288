//! What a chart renders differently each time.

use super::{Look, rule};

rule!("unstable-render", Error, "What a chart renders differently each time.", Look::Reader);
