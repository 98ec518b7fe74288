//! How long hostile YAML takes to be refused. `cargo bench --bench hostile` prints milliseconds; the aim is a few.

#![allow(clippy::print_stdout, reason = "a program for developers")]

use std::time::Instant;

use helm_keyring::yaml::Value;

fn main() {
    let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..9 {
        let previous = vec![format!("*a{}", i - 1); 9].join(",");
        laughs += &format!("a{i}: &a{i} [{previous}]\n");
    }
    let aliases = format!("a: &a {}\nb:\n{}", "x".repeat(100_000), "- *a\n".repeat(20_000));
    let deep: String = (0..3_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let cases = [
        ("100,000 [", "[".repeat(100_000)),
        ("50,000 dashes", "- ".repeat(50_000)),
        ("50,000 ?", "? ".repeat(50_000)),
        ("2 MB of !", "!".repeat(2_000_000)),
        ("a billion laughs", laughs),
        ("100 KB, 20,000 aliases", aliases),
        ("3,000 levels", deep),
        ("NUL", "a: \0".to_owned()),
    ];
    for (name, text) in cases {
        let begin = Instant::now();
        let refused = Value::parse(&text, 0).is_err();
        println!(
            "{name}: {:.1} ms, {}",
            begin.elapsed().as_secs_f64() * 1000.0,
            if refused { "refused" } else { "READ" }
        );
    }
}
