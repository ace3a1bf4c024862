//! Which addresses a flow may make this server call. Names are resolved here, every address is checked, and the
//! connection goes to a checked address and no other: a name that points inside does not get in.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Checks addresses of services. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    /// `host` or `host:port` that the operator allows although they are private or without TLS.
    allowed: Arc<HashSet<String>>,
}

/// Why an address is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0} is not a web address")]
    NotAnAddress(String),
    #[error(
        "{host} would be called without TLS; use https, or allow the host in switchboard.toml for development"
    )]
    NoTls { host: String },
    #[error("{host} is an address inside a private network; allow it in switchboard.toml if that is meant")]
    Private { host: String },
    #[error(
        "{host} would be called on port {port}; services are called on port 443 unless the host is allowed"
    )]
    Port { host: String, port: u16 },
    #[error("{host} would be called with a name and password in the address; use `key` in the business file")]
    Credentials { host: String },
}

impl Guard {
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Guard {
        let allowed = allowed
            .into_iter()
            .map(|host| host.to_ascii_lowercase())
            .collect();
        Guard {
            allowed: Arc::new(allowed),
        }
    }

    /// Checks everything about an address that can be seen before its name is resolved, literal addresses wholly.
    pub fn check(&self, url: &str) -> Result<Url, Refused> {
        let url = Url::parse(url).map_err(|_| Refused::NotAnAddress(without_query(url)))?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Refused::NotAnAddress(without_query(url.as_str())));
        };
        let name = host.to_string();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials { host: name });
        }
        if self.allows(&name, port) && matches!(url.scheme(), "http" | "https") {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err(Refused::NoTls { host: name });
        }
        if port != 443 {
            return Err(Refused::Port { host: name, port });
        }
        let literal = match host {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
            Host::Domain(_) => None,
        };
        match literal {
            Some(ip) if !is_public(ip) => Err(Refused::Private { host: name }),
            Some(_) | None => Ok(url),
        }
    }

    fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        self.allowed.contains(&host) || self.allowed.contains(&format!("{host}:{port}"))
    }

    /// Whether a name may lead to private addresses. Its port was checked with the address.
    fn allows_name(&self, host: &str) -> bool {
        let with_port = format!("{host}:");
        self.allowed
            .iter()
            .any(|allowed| allowed == host || allowed.starts_with(&with_port))
    }
}

fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_ascii_lowercase();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // One private address among public ones is how a name is made to slip through: all or nothing.
            if !guard.allows_name(&host) && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Refused::Private { host }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let refused = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        // Shared by carriers: 100.64/10. Protocols: 192.0.0/24. Benchmarks: 198.18/15. The old way to 6to4.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99);
    !refused
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, ..] = ip.segments();
    let refused = ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        // Site-local, long out of use: fec0::/10.
        || (a & 0xffc0) == 0xfec0
        // Ways to reach an IPv4 address: compatible ::/96, 6to4, Teredo, NAT64.
        || [a, b, c, d, e, f] == [0; 6]
        || a == 0x2002
        || (a == 0x2001 && b == 0)
        || [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0]
        || [a, b, c] == [0x64, 0xff9b, 1]
        // Discard 100::/64, documentation, segment routing.
        || [a, b, c, d] == [0x100, 0, 0, 0]
        || (a == 0x2001 && b == 0xdb8)
        || (a == 0x3fff && b < 0x1000)
        || a == 0x5f00;
    !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_private_and_special_range_is_refused() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
        ];
        for ip in refused {
            assert!(!is_public(ip.parse().unwrap()), "{ip} was taken for public");
        }
    }

    #[test]
    fn public_addresses_beside_the_special_ranges_are_taken() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450:4001::1",
        ];
        for ip in public {
            assert!(is_public(ip.parse().unwrap()), "{ip} was refused");
        }
    }

    #[test]
    fn every_spelling_of_this_machine_is_refused() {
        let guard = Guard::new([]);
        for host in [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "①②⑦.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::1]",
        ] {
            let refused = guard.check(&format!("https://{host}/orders?x=1"));
            assert!(
                matches!(refused, Err(Refused::Private { .. })),
                "{host}: {refused:?}"
            );
        }
    }

    #[test]
    fn only_https_on_its_own_port_without_credentials_is_called() {
        let guard = Guard::new([]);
        let refused = |url: &str| guard.check(url).expect_err(url);
        assert!(matches!(
            refused("http://api.shop.example/"),
            Refused::NoTls { .. }
        ));
        assert!(matches!(
            refused("ftp://api.shop.example/"),
            Refused::NoTls { .. }
        ));
        assert!(matches!(
            refused("https://api.shop.example:22/"),
            Refused::Port { port: 22, .. }
        ));
        assert!(matches!(
            refused("https://a:b@api.shop.example/"),
            Refused::Credentials { .. }
        ));
        assert_eq!(
            refused("no address?phone=1"),
            Refused::NotAnAddress("no address".into())
        );
        assert!(guard.check("https://api.shop.example/orders/1").is_ok());
    }

    #[test]
    fn an_allowed_host_may_be_private_and_plain_on_its_port_only() {
        let guard = Guard::new(["127.0.0.1:9000".to_owned(), "shop.internal".to_owned()]);
        assert!(guard.check("http://127.0.0.1:9000/x").is_ok());
        assert!(guard.check("http://127.0.0.1:9001/x").is_err());
        assert!(guard.check("http://shop.internal:8080/x").is_ok());
        assert!(guard.allows_name("shop.internal") && !guard.allows_name("shop.internal.example"));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let outcome = Guard::new([]).resolve("localhost".parse().expect("a name")).await;
        let why = outcome.err().expect("refused").to_string();
        assert!(why.contains("private network"), "{why}");
    }
}
