//! Where a Secret's keys go: into the chart's Secret, one of ours, one of the operator's, or nowhere.

use super::stream::Stream;
use super::survey::{self, Survey};
use super::user::UserValues;
use crate::config::{Emit, Selection, Source as SourceConfig};
use crate::report::{Finding, Refusal};

/// How one Secret's keys are delivered.
pub enum Delivery {
    /// In the Secret that the stream holds.
    Chart,
    /// In a Secret of ours, under this name.
    Own(String),
    /// In a Secret of this name that the External Secrets operator makes.
    External(String),
    /// The Secret exists elsewhere.
    Elsewhere,
}

impl Delivery {
    /// Whether the stream's Secret, one of ours, or one elsewhere holds the keys.
    ///
    /// # Errors
    /// What the stream holds and what is asked for do not fit, or nothing says which keys they are.
    pub fn of(
        selection: &Selection,
        stream: &Stream<'_>,
        survey: &Survey<'_, '_, '_>,
        user: &UserValues<'_>,
        external: bool,
    ) -> Result<Self, Refusal> {
        let told_none = user.renders_none(survey.spec) == Some(true);
        let delivery = match (selection.emit, &survey.secret) {
            (Some(Emit::None), Some(secret)) => {
                return Err(Finding::refused(
                    "emit-conflict",
                    format!("`emit: none`, but the chart renders Secret `{}`", survey.name),
                )
                .at(stream.place_in(secret.document, secret.object.offset()))
                .found("a key that the chart made up would be applied")
                .help("take `emit: none` out, or tell the chart that the Secret exists elsewhere")
                .into());
            }
            (Some(Emit::ExternalSecret), _) => Self::External(external_name(survey)),
            (_, Some(_)) => Self::Chart,
            (Some(Emit::Secret), None) => Self::Own(own_name(survey)),
            (Some(Emit::None), None) => Self::Elsewhere,
            (None, None) if told_none => Self::Elsewhere,
            (None, None) => return Err(missing_secret(stream, survey, user).into()),
        };
        if matches!(delivery, Self::Elsewhere) && !external {
            return Err(Finding::usage("no-source", format!("which keys Secret `{}` holds is not known", survey.name))
                .found("the chart renders no Secret, and no source is configured")
                .help("configure a source in keyring.yaml (`helm-keyring init` writes one), or pass `--source`")
                .into());
        }
        Ok(delivery)
    }

    /// The name of the Secret that consumers are pointed at, if it is another one than theirs.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Own(name) | Self::External(name) => Some(name),
            Self::Chart | Self::Elsewhere => None,
        }
    }
}

fn missing_secret(stream: &Stream<'_>, survey: &Survey<'_, '_, '_>, user: &UserValues<'_>) -> Finding {
    let consumers = survey.consumers();
    let mut finding =
        Finding::refused("no-target", format!("pods read Secret `{}`, which the stream does not hold", survey.name));
    for pod in consumers {
        finding = finding.at(stream.place_in(pod.document, pod.object.offset()));
    }
    let why = user.unknown().map_or_else(
        || "the values do not say that the chart renders none".to_owned(),
        |reason| format!("whether the chart was told to render none is not known: {reason}"),
    );
    finding
        .found(why)
        .help("if the Secret exists elsewhere, say `emit: none`")
        .help("if helm-keyring is to make one, say `emit: Secret`")
}

/// A Secret is not delivered from itself: a key that gets lost there would be lost for good.
pub fn refuse_itself(selection: &Selection, survey: &Survey<'_, '_, '_>) -> Result<(), Refusal> {
    let own = survey.secret.as_ref().and_then(|found| found.object.namespace);
    let namespace = own.or(selection.namespace.as_deref());
    let target = match (selection.emit, &survey.secret) {
        (Some(Emit::ExternalSecret), _) => Some(external_name(survey)),
        (Some(Emit::Secret), None) => Some(own_name(survey)),
        _ => None,
    };
    let reads = |source: &SourceConfig, name: &str| source.reads_secret(name, namespace);
    let is_itself = |name: &&str| selection.source.as_ref().is_some_and(|source| reads(source, name));
    let Some(secret) = [Some(survey.name.as_str()), target.as_deref()].into_iter().flatten().find(is_itself) else {
        return Ok(());
    };
    let title = format!("Secret {secret} is to be delivered from itself");
    Err(Finding::usage("source-is-target", title)
        .at(selection.place.clone())
        .found("what runs would become its own source, and a key that gets lost there would be lost for good")
        .help("keep the keys in a Secret of another name or cluster; `helm-keyring adopt` takes them over")
        .into())
}

/// Never the chart's own Secret, unless that holds nothing but keys.
fn own_name(survey: &Survey<'_, '_, '_>) -> String {
    if survey.spec.only_these_fields { survey.name.clone() } else { external_name(survey) }
}

/// Never the name of the chart's own Secret, which may be there and stay.
fn external_name(survey: &Survey<'_, '_, '_>) -> String {
    match survey.name.ends_with(survey::OWN_SUFFIX) {
        true => survey.name.clone(),
        false => format!("{}{}", survey.name, survey::OWN_SUFFIX),
    }
}
