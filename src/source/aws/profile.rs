//! The credentials of a profile: static ones, those that a program prints, or those of a role.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::credentials::{self, Credentials};
use super::files::Section;
use super::settings::Settings;
use super::sts::{self, Role};
use super::{container, imds};
use crate::source::json::Object;
use crate::source::program::Program;
use crate::source::{Error, Run};

/// Longer chains of roles are a circle.
const CHAIN_MAX: usize = 8;

/// The credentials that a profile names, if it names any.
///
/// # Errors
/// A profile that is not there, one that needs a login of another kind, credentials that are refused.
pub fn credentials(run: &Run, settings: &Settings, name: &str) -> Result<Option<Credentials>, Error> {
    chain(run, settings, name, CHAIN_MAX)
}

fn chain(run: &Run, settings: &Settings, name: &str, left: usize) -> Result<Option<Credentials>, Error> {
    let profile = settings.files()?.profile(name).ok_or_else(|| {
        Error::new(
            format!("there is no profile `{name}` in ~/.aws/config or ~/.aws/credentials"),
            "`aws configure list-profiles` shows those that are there; AWS_CONFIG_FILE names another file",
        )
    })?;
    let Some(arn) = profile.get("role_arn") else { return own(run, name, profile) };
    let role = Role {
        arn,
        session: profile.get("role_session_name"),
        external_id: profile.get("external_id"),
        duration: profile.get("duration_seconds"),
    };
    let login = format!("profile {name}, role {arn}");
    if let Some(file) = profile.get("web_identity_token_file") {
        return sts::with_web_identity(run, settings, &role, file, login).map(Some);
    }
    if profile.get("mfa_serial").is_some() {
        return Err(by_hand(name, "wants a code that somebody types (mfa_serial)"));
    }
    let base = match (profile.get("source_profile"), profile.get("credential_source")) {
        (Some(_), _) if left == 0 => {
            return Err(Error::new(
                format!("the roles of profile `{name}` go in a circle"),
                "check its `source_profile`",
            ));
        }
        // A profile may hold the keys with which its role is taken on.
        (Some(source), None) if source == name => own(run, name, profile)?,
        (Some(source), None) => chain(run, settings, source, left - 1)?,
        (None, Some(source)) => of_source(run, settings, name, source)?,
        _ => {
            return Err(Error::new(
                format!("profile `{name}` does not say with whose credentials it takes on its role"),
                "give it one of `source_profile`, `credential_source` and `web_identity_token_file`",
            ));
        }
    };
    let base = base.ok_or_else(|| {
        Error::new(
            format!("there are no credentials with which profile `{name}` could take on its role"),
            "check what its `source_profile` or `credential_source` names",
        )
    })?;
    sts::assume_role(run, settings, &role, &base, login).map(Some)
}

fn of_source(run: &Run, settings: &Settings, name: &str, source: &str) -> Result<Option<Credentials>, Error> {
    match source {
        "Environment" => credentials::of_variables(run),
        "EcsContainer" => container::find(run, settings),
        "Ec2InstanceMetadata" => imds::find(run),
        _ => Err(Error::new(
            format!("profile `{name}` has a `credential_source` that does not exist"),
            "it is Environment, EcsContainer or Ec2InstanceMetadata",
        )),
    }
}

/// What stands in the profile itself.
fn own(run: &Run, name: &str, profile: &Section) -> Result<Option<Credentials>, Error> {
    match (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")) {
        (Some(id), Some(secret)) => {
            let text = |text: &str| Zeroizing::new(text.to_owned());
            let token = profile.get("aws_session_token").map(text);
            return Ok(Some(Credentials::new(run, id, text(secret), token, format!("profile {name}"))));
        }
        (None, None) => {}
        _ => {
            return Err(Error::new(
                format!("profile `{name}` has only one of aws_access_key_id and aws_secret_access_key"),
                format!("`aws configure --profile {name}` sets both"),
            ));
        }
    }
    if let Some(line) = profile.get("credential_process") {
        return printed(run, name, line).map(Some);
    }
    let logins = ["sso_session", "sso_start_url", "login_session"];
    match logins.iter().find(|setting| profile.get(setting).is_some()) {
        Some(setting) => Err(by_hand(name, &format!("logs in through a browser ({setting})"))),
        None => Ok(None),
    }
}

fn by_hand(name: &str, why: &str) -> Error {
    Error::new(
        format!("profile `{name}` {why}, which helm-keyring does not do"),
        format!(
            "log in, then hand its credentials over: `eval \"$(aws configure export-credentials --profile {name} --format env)\"`"
        ),
    )
}

/// What a program of the user's prints. <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
fn printed(run: &Run, name: &str, line: &str) -> Result<Credentials, Error> {
    let help = format!("check `credential_process` of profile `{name}`: it must print credentials as JSON");
    let odd = |why: String| Error::new(format!("the credential_process of profile `{name}` {why}"), help.clone());
    let command = words(line).ok_or_else(|| odd("has a quotation mark that does not end".to_owned()))?;
    if command.is_empty() {
        return Err(odd("is empty".to_owned()));
    }
    let program = Program {
        name: format!("the credential_process of profile `{name}`"),
        command: command.into_iter().map(OsString::from).collect(),
        variables: &[],
        prefixes: &["AWS_"],
        set: Vec::new(),
        folder: None,
        stdin: None,
    };
    run.count("aws login");
    let printed = program.run(run, &help)?;
    let object = Object::parse(&printed).map_err(|error| odd(format!("printed what {error}")))?;
    if object.number("Version") != Some(1) {
        return Err(odd("printed no `\"Version\": 1`".to_owned()));
    }
    Credentials::of_json(run, &object, "SessionToken", format!("profile {name}, its credential_process"))
        .ok_or_else(|| odd("printed no AccessKeyId or no SecretAccessKey".to_owned()))
}

/// A command line in its words, without a shell: quotation marks and `\` keep white space together. `None` if a
/// quotation mark does not end.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => match chars.next()? {
                c @ ('"' | '\\') => word.get_or_insert_default().push(c),
                c => word.get_or_insert_default().extend(['\\', c]),
            },
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, '"' | '\'') => {
                quote = Some(c);
                // Two quotation marks with nothing between are a word too.
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_line_has_words() {
        for (line, expected) in [
            ("a  b\tc ", Some(vec!["a", "b", "c"])),
            (r#""/opt/a b/c" --x="1 2" 'y\z' \  """#, Some(vec!["/opt/a b/c", "--x=1 2", r"y\z", " ", ""])),
            (r#""a\"b\\c\d""#, Some(vec![r#"a"b\c\d"#])),
            ("a; b | c $HOME `d` #e", Some(vec!["a;", "b", "|", "c", "$HOME", "`d`", "#e"])),
            ("a \"b", None),
            ("a \\", None),
            (" ", Some(Vec::new())),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(words(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn words_in_quotation_marks_come_back(all in proptest::collection::vec("[^'\0]{0,8}", 0..5)) {
            let line: Vec<String> = all.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(words(&line.join(" ")), Some(all));
        }
    }
}
