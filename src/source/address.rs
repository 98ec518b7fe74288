//! Addresses of servers: scheme, host and port, and nothing else, since a token has no place in one.

use ureq::http::Uri;

use super::Error;

/// Scheme, host and port.
pub struct Origin {
    /// `scheme://host[:port]`
    pub text: String,
    /// An IPv6 address has its brackets.
    pub host: String,
    /// The scheme's own, if it is not written.
    pub port: u16,
    /// Else it is http.
    pub is_https: bool,
    /// Whether it is this machine, or a cloud's link-local address.
    pub is_local: bool,
}

impl Origin {
    /// Reads an address.
    ///
    /// # Errors
    /// One that is none, or holds more than that.
    pub fn of(address: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            Error::new(
                format!("its address {why}"),
                "write it as https://HOST:PORT, without a path; tokens and passwords have places of their own",
            )
        };
        let trimmed = address.trim_end_matches('/');
        let uri: Uri = trimmed.parse().map_err(|_| refused("is none"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("has no scheme or no host"));
        };
        let has_more = uri.path_and_query().is_some_and(|rest| rest.as_str() != "/");
        match scheme {
            _ if authority.as_str().contains('@') => Err(refused("holds a user")),
            _ if has_more => Err(refused("holds more than a host")),
            "https" | "http" => Ok(Self {
                text: format!("{scheme}://{authority}"),
                host: authority.host().to_owned(),
                port: authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 }),
                is_https: scheme == "https",
                is_local: is_local(authority.host()),
            }),
            _ => Err(refused("begins with neither https:// nor http://")),
        }
    }

    /// What of a URL can be shown: nothing behind the host.
    pub fn of_url(url: &str) -> Option<String> {
        let uri: Uri = url.parse().ok()?;
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}://{}{port}", uri.scheme_str()?, uri.host()?))
    }
}

/// Whether it is this machine, or the link-local address at which a cloud tells a machine of itself.
fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost"
        || address.is_some_and(|address| match address {
            std::net::IpAddr::V4(four) => four.is_loopback() || four.is_link_local(),
            std::net::IpAddr::V6(six) => six.is_loopback() || six.segments()[..2] == [0xfd00, 0x0ec2],
        })
}

/// An address as messages have it; `None` if it is none.
pub fn shown(address: &str) -> Option<String> {
    Origin::of(address).ok().map(|origin| origin.text)
}

/// Whether keys would cross a network without TLS.
pub fn is_plain(address: &str) -> bool {
    Origin::of(address).is_ok_and(|origin| !origin.is_https && !origin.is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        for (address, text) in [
            ("https://vault.example.com:8200", "https://vault.example.com:8200"),
            ("https://vault.example.com/", "https://vault.example.com"),
            ("http://[::1]:8200", "http://[::1]:8200"),
        ] {
            assert_eq!(shown(address).as_deref(), Some(text));
        }
        for (address, why) in [
            ("", "is none"),
            ("https://a b", "is none"),
            ("vault.example.com:8200", "has no scheme or no host"),
            ("https://user:pass@vault.example.com", "holds a user"),
            ("https://vault.example.com/v1", "holds more than a host"),
            ("https://vault.example.com?token=x", "holds more than a host"),
            ("ftp://vault.example.com", "begins with neither https:// nor http://"),
        ] {
            let error = Origin::of(address).err().unwrap();
            assert_eq!(error.message, format!("its address {why}"), "{address}");
        }
    }

    #[test]
    fn of_a_url_only_scheme_host_and_port_are_told() {
        let told = |url| Origin::of_url(url);
        assert_eq!(told("https://u:p@a.example:8200/x?t=y#z").as_deref(), Some("https://a.example:8200"));
        assert_eq!(told("https://a.example/x").as_deref(), Some("https://a.example"));
        assert_eq!(told("/x"), None);
        assert_eq!(told("no url"), None);
    }

    #[test]
    fn this_machine_and_what_a_cloud_tells_it_are_local() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1", "169.254.169.254", "[fd00:ec2::254]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1", "[2001:db8::1]", "vault", ""] {
            assert!(!is_local(host), "{host}");
        }
        assert!(is_plain("http://vault:8200") && !is_plain("http://localhost:8200") && !is_plain("https://vault:8200"));
    }
}
