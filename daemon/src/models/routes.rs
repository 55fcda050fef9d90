//! What a name stands for: an alias of the settings, one of the usual names, `provider/model`, or a model's id.

use std::collections::BTreeMap;

use super::providers::{Found, Provider};

/// A model that may answer.
#[derive(Clone)]
pub struct Candidate {
    pub provider: Provider,
    pub model: String,
}

/// The names that callers use.
#[derive(Clone, Default)]
pub struct Routes {
    found: Found,
    written: BTreeMap<String, Vec<String>>,
}

/// The usual names, in the order of [`Provider::usual`].
const USUAL: [&str; 3] = ["fast", "smart", "judge"];

impl Routes {
    #[must_use]
    pub fn new(found: Found, written: BTreeMap<String, Vec<String>>) -> Self {
        Self { found, written }
    }

    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.found.providers.is_empty()
    }

    fn exact(&self, name: &str) -> Option<Candidate> {
        let (provider, model) = name.split_once('/')?;
        let provider = self.found.providers.iter().find(|known| known.name == provider)?;
        (!model.is_empty()).then(|| Candidate { provider: provider.clone(), model: model.to_owned() })
    }

    /// Who may answer, in the order in which they are asked, and the name for metrics: an alias, or `other`.
    ///
    /// # Errors
    /// Says which names there are.
    pub fn resolve(&self, name: &str) -> Result<(Vec<Candidate>, String), String> {
        if self.is_offline() {
            return Err("no model is reachable: this nexusd works offline. Set ANTHROPIC_API_KEY or OPENAI_API_KEY, start Ollama, \
                        or write [models.providers] in nexusd.toml"
                .to_owned());
        }
        if let Some(written) = self.written.get(name) {
            let candidates: Vec<Candidate> = written.iter().filter_map(|name| self.exact(name)).collect();
            if candidates.is_empty() {
                return Err(format!(
                    "the route `{name}` leads to no provider that can be asked: {}",
                    written.join(", ")
                ));
            }
            return Ok((candidates, name.to_owned()));
        }
        if let Some(place) = USUAL.iter().position(|usual| *usual == name) {
            let usual = |provider: &Provider| provider.usual.get(place).cloned().flatten();
            let found = self
                .found
                .providers
                .iter()
                .find_map(|provider| Some(Candidate { provider: provider.clone(), model: usual(provider)? }));
            return match found {
                Some(candidate) => Ok((vec![candidate], name.to_owned())),
                None => Err(format!("no provider has a usual model for `{name}`: write it in [models.routes]")),
            };
        }
        if let Some(candidate) = self.exact(name) {
            return Ok((vec![candidate], "other".to_owned()));
        }
        let known = |provider: &&Provider| {
            provider.models.iter().any(|model| model == name)
                || provider.usual.iter().flatten().any(|model| model == name)
        };
        match self.found.providers.iter().find(known) {
            Some(provider) => {
                Ok((vec![Candidate { provider: provider.clone(), model: name.to_owned() }], "other".to_owned()))
            }
            None => Err(format!(
                "there is no model `{name}`; ask for one of {}, or for <provider>/<model>",
                self.names().join(", ")
            )),
        }
    }

    /// The names that lead somewhere: aliases, then models.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = USUAL.iter().map(|name| (*name).to_owned()).collect();
        names.retain(|name| !self.written.contains_key(name));
        names.extend(self.written.keys().cloned());
        names.retain(|name| self.resolve(name).is_ok());
        for provider in &self.found.providers {
            let models = provider.models.iter().chain(provider.usual.iter().flatten());
            for model in models.map(|model| format!("{}/{model}", provider.name)) {
                if !names.contains(&model) {
                    names.push(model);
                }
            }
        }
        names
    }

    /// The aliases that somebody answers to, the usual ones first.
    fn aliases(&self) -> Vec<(&str, Vec<Candidate>)> {
        let written = self.written.keys().map(String::as_str).filter(|name| !USUAL.contains(name));
        let names = USUAL.into_iter().chain(written);
        names.filter_map(|name| Some((name, self.resolve(name).ok()?.0))).collect()
    }

    /// The aliases, with the model that is asked first for each.
    #[must_use]
    pub fn first_of_aliases(&self) -> BTreeMap<String, String> {
        let first = |(name, candidates): (&str, Vec<Candidate>)| {
            let one = candidates.first()?;
            Some((name.to_owned(), format!("{}/{}", one.provider.name, one.model)))
        };
        self.aliases().into_iter().filter_map(first).collect()
    }

    /// For the start screen and `check-config`: what each alias stands for, or that there is nothing.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, candidates) in self.aliases() {
            let chain: Vec<String> = candidates
                .iter()
                .map(|one| format!("{}/{} ({})", one.provider.name, one.model, one.provider.from))
                .collect();
            lines.push(format!("{name} = {}", chain.join(", then ")));
        }
        if self.is_offline() {
            lines.push("none: offline, agents are written from the catalogue".to_owned());
        }
        lines.extend(self.found.problems.iter().map(|problem| format!("not reachable: {problem}")));
        lines
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use nexus_model::providers::Scripted;

    use super::*;

    fn routes(written: &[(&str, &[&str])]) -> Routes {
        let provider = |name: &str| Provider::fixed(name, true, Arc::new(Scripted::new([])));
        let found = Found { providers: vec![provider("one"), provider("two")], problems: Vec::new() };
        let written =
            written.iter().map(|(name, to)| ((*name).to_owned(), to.iter().map(|to| (*to).to_owned()).collect()));
        Routes::new(found, written.collect())
    }

    fn chain(routes: &Routes, name: &str) -> Result<Vec<String>, String> {
        let (candidates, _) = routes.resolve(name)?;
        Ok(candidates.iter().map(|one| format!("{}/{}", one.provider.name, one.model)).collect())
    }

    #[test]
    fn a_name_leads_where_the_settings_say_else_to_the_first_provider() {
        let written = routes(&[("smart", &["gone/x", "two/big", "one/small"]), ("lost", &["gone/x"])]);
        assert_eq!(chain(&written, "fast").unwrap(), ["one/script"]);
        assert_eq!(chain(&written, "smart").unwrap(), ["two/big", "one/small"]);
        assert_eq!(chain(&written, "two/any/thing").unwrap(), ["two/any/thing"]);
        assert_eq!(chain(&written, "script").unwrap(), ["one/script"]);
        assert!(chain(&written, "lost").unwrap_err().contains("gone/x"));
        let error = chain(&written, "gpt-9").unwrap_err();
        assert!(error.contains("fast") && error.contains("one/script"), "{error}");
        assert!(written.lines().contains(&"smart = two/big (a test), then one/small (a test)".to_owned()));
    }

    #[test]
    fn offline_says_so_and_says_what_to_do() {
        let none = Routes::default();
        assert!(chain(&none, "fast").unwrap_err().contains("works offline. Set ANTHROPIC_API_KEY"));
        assert!(none.lines()[0].contains("offline"));
    }
}
