//! Arguments → command → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    helm_keyring::cli::main()
}
