//! The names by which the daemon may be called. A page can have its own name resolve to this machine (DNS
//! rebinding); its requests then count as same-origin, but their `Host` still tells that name.

use salvo::{
    Request,
    http::{StatusCode, header},
};

use super::error::ApiError;
use crate::config::ServerConfig;

/// Names that always mean this machine, or no name at all.
fn is_address(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

/// The host of `host:port`, brackets of IPv6 kept.
pub(crate) fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').and_then(|end| authority.get(..=end)).unwrap_or(authority);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// Whether `host` is an address or one of the operator's names.
fn is_known(host: &str, allowed: &[String]) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    is_address(&host) || allowed.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&host))
}

/// The paths that answer to any name.
pub(crate) fn is_open(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/") || path.trim_end_matches('/') == "/metrics"
}

/// The error for a request under a name that is none of ours. A request without `Host` comes from no browser.
pub(crate) fn refusal(req: &Request, server: &ServerConfig) -> Option<ApiError> {
    // What supervisors and Prometheus ask they ask by any name. It can only be read, and it is no secret worth a rebound
    // name: figures by closed sets of labels, no ids, no texts of users, no settings.
    if is_open(req.uri().path()) {
        return None;
    }
    let headers = req.headers().get_all(header::HOST).iter();
    let named = headers.map(|value| value.to_str().unwrap_or("?")).chain(req.uri().authority().map(|a| a.as_str()));
    let public = host_of(server.public_authority());
    let known =
        |host: &str| is_known(host, &server.allowed_hosts) || (!public.is_empty() && host.eq_ignore_ascii_case(public));
    let strange = named.map(host_of).any(|host| !known(host));
    strange.then(|| {
        let message = "the daemon does not answer to this host name; its operator can add it to `allowed_hosts`";
        ApiError::plain(StatusCode::FORBIDDEN, "HOST_NOT_ALLOWED", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_configured_names_are_known() {
        let own = ["nexus.example".to_owned()];
        for good in ["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "LOCALHOST.", "app.localhost", "Nexus.Example"] {
            assert!(is_known(good, &own), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip.example", "nexus.example.evil"] {
            assert!(!is_known(bad, &own), "{bad}");
        }
        assert!(is_known("any.example", &["*".to_owned()]));
        assert_eq!((host_of("a:1"), host_of("[::1]:80"), host_of("b")), ("a", "[::1]", "b"));
    }
}
