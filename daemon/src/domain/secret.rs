//! A text that nobody may see: it prints as `***`, wherever it is printed.

use std::fmt;

/// See the module.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An address as it may be shown: without user, password, query and fragment, any of which may hold a key.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (bare, rest) = url.split_at_checked(end).unwrap_or((url, ""));
    let hidden = if rest.is_empty() { "" } else { "?***" };
    let Some((scheme, after)) = bare.split_once("://") else {
        // Without a scheme the part before an `@` may still be a password.
        return match bare.rsplit_once('@') {
            Some((_, host)) => format!("***@{host}{hidden}"),
            None => format!("{bare}{hidden}"),
        };
    };
    let (authority, path) = after.find('/').and_then(|at| after.split_at_checked(at)).unwrap_or((after, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}{hidden}"),
        None => format!("{scheme}://{authority}{path}{hidden}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_nothing() {
        let secret = Secret::new("sesame".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "sesame");
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_a_key() {
        for (url, shown) in [
            ("http://localhost:8000", "http://localhost:8000"),
            ("https://user:pass@host:1/path", "https://***@host:1/path"),
            ("https://user:p@ss@host/a@b", "https://***@host/a@b"),
            ("https://host/x?key=sesame#t", "https://host/x?***"),
            ("user:pass@host", "***@host"),
            ("", ""),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
