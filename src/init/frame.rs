//! The text of `keyring.yaml`, from a minijinja frame.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

use crate::profile::Profile;
use crate::report::{Exit, Finding, Refusal, list};
use crate::yaml;

use super::environments::Environments;
use super::recognise::{Keyring, key_paths};

const FRAME: &str = include_str!("frame.yaml.jinja");
/// Steps that the frame may take: thousands of environments.
const FUEL: u64 = 1_000_000;

/// Fills the frame.
pub(super) fn render(keyrings: &[Keyring], environments: &Environments) -> Result<String, Refusal> {
    let of_environment = |(name, values): (&String, &Vec<String>)| context! { name, values };
    let data = context! {
        keyrings => keyrings.iter().map(of_keyring).collect::<Vec<_>>(),
        environments => environments.iter().map(of_environment).collect::<Vec<_>>(),
        sealed => Value::from_function(sealed_file(keyrings.len())),
    };
    fill(data).map_err(|error| {
        Finding::error(Exit::Io, "broken-frame", "the frame of keyring.yaml could not be filled; please report it")
            .found(error.kind().to_string())
            .into()
    })
}

fn fill(data: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("yaml", scalar);
    environment.render_str(FRAME, data)
}

/// The sealed file of an environment; several keyrings must not share one.
fn sealed_file(keyrings: usize) -> impl Fn(&str, &str) -> String {
    move |keyring, environment| match keyrings {
        1 => format!("keys/{environment}.sealed"),
        _ => format!("keys/{keyring}-{environment}.sealed"),
    }
}

fn of_keyring(keyring: &Keyring) -> Value {
    let profile = &keyring.profile;
    let all_in_values = key_paths(profile).count() == profile.rings().count();
    let full = |path: &str| keyring.values.as_ref().map_or_else(|| path.to_owned(), |above| format!("{above}.{path}"));
    let paths: Vec<String> = key_paths(profile).filter(|_| all_in_values).map(full).collect();
    let fields: Vec<String> = profile.rings().map(|(_, field)| field.name.to_string()).collect();
    context! {
        name => &keyring.name,
        profile => &keyring.reference,
        values => &keyring.values,
        paths => list(&paths),
        fields => list(&fields),
        variables => variables(profile),
    }
}

fn variables(profile: &Profile) -> String {
    let named: Vec<&str> = profile.rings().filter_map(|(_, field)| field.variable.as_deref()).collect();
    match named.len() == profile.rings().count() {
        true => list(&named),
        false => "named like the fields in capitals".to_owned(),
    }
}

/// A text as a scalar of one line, that YAML 1.1 and 1.2 both read as this text: `serde_yaml` leaves `no` bare.
fn scalar(text: &str) -> Result<String, Error> {
    let failed = |_| Error::new(ErrorKind::BadSerialization, "a name cannot be written");
    let written = serde_yaml::to_string(text).map_err(|_| failed(()))?;
    let written = written.trim_end();
    let reads_back = yaml::Value::parse(written, 0).is_ok_and(|value| value.text() == Some(text));
    match reads_back && !written.contains('\n') {
        true => Ok(written.to_owned()),
        false => serde_json::to_string(text).map_err(|_| failed(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_back_as_they_were() {
        for (text, written) in [
            ("production", "production"),
            ("no", "\"no\""),
            ("1_000", "\"1_000\""),
            ("0x1", "'0x1'"),
            ("a: b #c", "'a: b #c'"),
            ("two\nlines", "\"two\\nlines\""),
        ] {
            assert_eq!(scalar(text).unwrap(), written);
        }
    }
}
