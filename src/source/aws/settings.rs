//! Which region, which endpoint, whose certificates: `keyring.yaml`, then the variables, then the profile, in AWS's own
//! order.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::files::{Files, Section};
use crate::config;
use crate::source::Error;
use crate::source::http::{Tls, certificates};

/// Settings of one account.
pub struct Settings {
    /// The profile that keyring.yaml names.
    pub profile: Option<String>,
    /// As keyring.yaml says, or the ARN.
    region: Option<String>,
    /// As keyring.yaml says.
    endpoint: Option<String>,
    files: OnceLock<Result<Files, Error>>,
}

/// A service that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Secrets Manager.
    SecretsManager,
    /// The Security Token Service.
    Sts,
}

impl Api {
    /// In a host name, and in a signature.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Sts => "sts",
        }
    }

    /// In a variable: `AWS_ENDPOINT_URL_…`; in small letters, in a profile.
    fn id(self) -> &'static str {
        match self {
            Self::SecretsManager => "SECRETS_MANAGER",
            Self::Sts => "STS",
        }
    }
}

impl Settings {
    /// What a place of keyring.yaml says.
    pub fn new(config: &config::Aws) -> Self {
        let mut names = config.secret.iter().chain(config.secrets.values());
        Self {
            profile: config.profile.clone(),
            region: config.region.clone().or_else(|| names.find_map(|name| region_of_arn(name)).map(str::to_owned)),
            endpoint: config.endpoint.clone(),
            files: OnceLock::new(),
        }
    }

    /// What tells it from others.
    pub fn identity(&self) -> String {
        format!("{:?} {:?} {:?}", self.region, self.endpoint, self.profile)
    }

    /// The user's files, read once.
    pub fn files(&self) -> Result<&Files, Error> {
        self.files.get_or_init(Files::read).as_ref().map_err(Clone::clone)
    }

    /// The profile that counts: that of keyring.yaml, else `AWS_PROFILE`, else `default`.
    pub fn profile_name(&self) -> String {
        self.profile.clone().or_else(|| variable("AWS_PROFILE")).unwrap_or_else(|| "default".to_owned())
    }

    fn of_profile(&self) -> Result<Option<&Section>, Error> {
        Ok(self.files()?.profile(&self.profile_name()))
    }

    /// The region, if anything names one.
    ///
    /// # Errors
    /// A name that no region has; files that cannot be read.
    pub fn region(&self) -> Result<Option<String>, Error> {
        let of_variables = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = match self.region.clone().or_else(of_variables) {
            Some(region) => Some(region),
            None => self.of_profile()?.and_then(|profile| profile.get("region")).map(str::to_owned),
        };
        region.map(checked).transpose()
    }

    /// Where a service is asked, if it is not the region's own address.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn endpoint(&self, api: Api) -> Result<Option<String>, Error> {
        let own = self.endpoint.clone().filter(|_| api == Api::SecretsManager);
        if own.is_some() || is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return Ok(own);
        }
        let id = api.id();
        let of_variables = variable(&format!("AWS_ENDPOINT_URL_{id}")).or_else(|| variable("AWS_ENDPOINT_URL"));
        if of_variables.is_some() {
            return Ok(of_variables);
        }
        let Some(profile) = self.of_profile()? else { return Ok(None) };
        let services = profile.get("services").and_then(|name| self.files().ok()?.services(name));
        let of_services =
            services.and_then(|services| services.get(&format!("{}.endpoint_url", id.to_ascii_lowercase())));
        Ok(of_services.or_else(|| profile.get("endpoint_url")).map(str::to_owned))
    }

    /// The address of a service; without a region, the one that STS has for all.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn address(&self, api: Api, region: Option<&str>) -> Result<String, Error> {
        if let Some(endpoint) = self.endpoint(api)? {
            return Ok(endpoint);
        }
        Ok(own_address(api, region, is_true("AWS_USE_FIPS_ENDPOINT")))
    }

    /// Whose certificates are trusted.
    ///
    /// # Errors
    /// A file that holds none.
    pub fn tls(&self) -> Result<Tls, Error> {
        let file = match variable("AWS_CA_BUNDLE") {
            Some(file) => Some(file),
            None => self.of_profile()?.and_then(|profile| profile.get("ca_bundle")).map(str::to_owned),
        };
        let roots = file.map(|file| certificates(&PathBuf::from(file))).transpose()?;
        Ok(Tls { roots, own: None })
    }
}

/// AWS's own address of a service.
fn own_address(api: Api, region: Option<&str>, fips: bool) -> String {
    let name = api.name();
    let Some(region) = region else { return format!("https://{name}.amazonaws.com") };
    let fips = if fips { "-fips" } else { "" };
    let ending = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{name}{fips}.{region}.amazonaws.com{ending}")
}

/// A variable; empty is unset.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that turns something on.
pub fn is_true(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The region in `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
pub fn region_of_arn(name: &str) -> Option<&str> {
    let mut parts = name.split(':');
    (parts.next()? == "arn").then_some(())?;
    parts.nth(2).filter(|region| !region.is_empty())
}

/// It becomes part of the host that is sent to.
fn checked(region: String) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match region.chars().all(fits) && region.len() <= 63 {
        true => Ok(region),
        false => Err(Error::new(
            "what is set as region is no name of one",
            "write it like `eu-central-1`: `region`, AWS_REGION",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_a_region_and_a_name_has_none() {
        let arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:obs/keys-AbCdEf";
        assert_eq!(region_of_arn(arn), Some("cn-north-1"));
        for name in ["obs/keys", "arn", "arn:aws", "a:b:c:d:e", "arn:aws:secretsmanager:::x"] {
            assert_eq!(region_of_arn(name), None, "{name}");
        }
    }

    #[test]
    fn an_address_is_that_of_the_region() {
        let manager = |region, fips| own_address(Api::SecretsManager, Some(region), fips);
        assert_eq!(manager("eu-central-1", false), "https://secretsmanager.eu-central-1.amazonaws.com");
        assert_eq!(manager("us-east-1", true), "https://secretsmanager-fips.us-east-1.amazonaws.com");
        assert_eq!(manager("cn-north-1", false), "https://secretsmanager.cn-north-1.amazonaws.com.cn");
        assert_eq!(own_address(Api::Sts, Some("eu-west-1"), false), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(own_address(Api::Sts, None, true), "https://sts.amazonaws.com");
    }

    #[test]
    fn a_region_is_no_part_of_another_host() {
        assert!(checked("eu-central-1".to_owned()).is_ok());
        for region in ["x.example.com/", "EU", "a b", "x@y", "x#"] {
            assert!(checked(region.to_owned()).is_err(), "{region}");
        }
    }
}
