//! Which proxy leads to a server, as Go reads the variables: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, `ALL_PROXY`
//! for both, each also in small letters; `NO_PROXY` names hosts, domains, addresses and networks that are asked directly.

use std::net::IpAddr;

use ureq::Proxy;

use super::Error;

/// The proxy for a server; `None` if it is asked directly.
///
/// # Errors
/// A variable that holds no address: keys must not take another way than the one that is meant.
pub fn of_environment(is_https: bool, host: &str, port: u16) -> Result<Option<Proxy>, Error> {
    choose(is_https, host, port, &|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

fn choose(
    is_https: bool,
    host: &str,
    port: u16,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, Error> {
    let either = |name: &str| {
        variable(name).map(|value| (name.to_owned(), value)).or_else(|| {
            let small = name.to_ascii_lowercase();
            variable(&small).map(|value| (small, value))
        })
    };
    let own = either(if is_https { "HTTPS_PROXY" } else { "HTTP_PROXY" }).or_else(|| either("ALL_PROXY"));
    let Some((name, address)) = own else { return Ok(None) };
    if either("NO_PROXY").is_some_and(|(_, list)| list.split(',').any(|entry| covers(entry.trim(), host, port))) {
        return Ok(None);
    }
    let address = if address.contains("://") { address } else { format!("http://{address}") };
    // An address may hold a password: it is not repeated.
    Proxy::new(&address).map(Some).map_err(|_| {
        Error::new(
            format!("{name} holds no address of a proxy"),
            "write it as http://HOST:PORT; SOCKS is not supported",
        )
    })
}

/// Whether an entry of `NO_PROXY` is about a host.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    let address: Option<IpAddr> = host.parse().ok();
    if let (Some((network, bits)), Some(address)) = (entry.split_once('/'), address) {
        return in_network(network, bits, address);
    }
    let (name, only) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse::<u16>().ok()),
        _ => (entry.as_str(), None),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() || only.is_some_and(|only| only != port) {
        return false;
    }
    match name.strip_prefix('.').or_else(|| name.strip_prefix("*.")) {
        // `.example.com` is about what lies below, `example.com` about itself too.
        Some(domain) => host.ends_with(&format!(".{domain}")),
        None => host == name || (address.is_none() && host.ends_with(&format!(".{name}"))),
    }
}

fn in_network(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same =
        |one: u128, other: u128, width: u32| bits <= width && (bits == 0 || (one ^ other) >> (width - bits) == 0);
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same(network.to_bits().into(), address.to_bits().into(), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, port) = rest.rsplit_once(':').unwrap();
        let variable =
            |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        choose(scheme == "https", host, port.parse().unwrap(), &variable)
            .map(|proxy| proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
            .map_err(|error| error.message)
    }

    #[test]
    fn the_scheme_of_the_server_chooses() {
        let variables = [("HTTPS_PROXY", "http://secure:1"), ("http_proxy", "plain:2")];
        assert_eq!(chosen(&variables, "https://vault:8200"), Ok(Some("secure:1".to_owned())));
        assert_eq!(chosen(&variables, "http://vault:8200"), Ok(Some("plain:2".to_owned())));
        assert_eq!(chosen(&variables[..1], "http://vault:8200"), Ok(None));
        assert_eq!(chosen(&[("all_proxy", "http://all:3")], "http://vault:8200"), Ok(Some("all:3".to_owned())));
        assert_eq!(
            chosen(&[("HTTPS_PROXY", "http://user:c4nary@[broken")], "https://vault:8200"),
            Err("HTTPS_PROXY holds no address of a proxy".to_owned())
        );
    }

    #[test]
    fn hosts_domains_addresses_and_networks_are_left_out() {
        for (entry, url, direct) in [
            ("vault", "https://vault:8200", true),
            ("vault", "https://other-vault:8200", false),
            ("svc", "https://vault.obs.svc:8200", true),
            (".svc", "https://vault.obs.svc:8200", true),
            ("*.svc", "https://vault.obs.svc:8200", true),
            (".vault.svc", "https://vault.svc:8200", false),
            ("Vault.SVC", "https://vault.svc:8200", true),
            ("vault.svc:8200", "https://vault.svc:8200", true),
            ("vault.svc:8201", "https://vault.svc:8200", false),
            ("*", "https://vault:8200", true),
            ("", "https://vault:8200", false),
            ("10.1.2.3", "https://10.1.2.3:443", true),
            ("1.2.3", "https://10.1.2.3:443", false),
            ("10.0.0.0/8", "https://10.1.2.3:443", true),
            ("10.0.0.0/8", "https://11.1.2.3:443", false),
            ("0.0.0.0/0", "https://11.1.2.3:443", true),
            ("10.0.0.0/99", "https://10.1.2.3:443", false),
            ("fd00::/8", "https://[fd00:1::2]:443", true),
            ("fd00::/8", "https://[fe80::2]:443", false),
            ("[fd00::1]:443", "https://[fd00::1]:443", true),
            ("fd00::1", "https://[fd00::1]:443", true),
        ] {
            let variables = [("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", &format!("x.y, {entry}") as &str)];
            assert_eq!(chosen(&variables, url).unwrap().is_none(), direct, "{entry} {url}");
        }
    }
}
