use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// How a job asks language models: through the daemon, which alone has keys and keeps the books.
///
/// The API is OpenAI's chat completions (and the part of Responses that SDKs use), so any client of it works with
/// `base_url` and, as its key, `token`. A call beyond a budget is refused with status 402 and the code
/// `budget_exhausted`; a handler fails with [`FailureKind::Budget`](super::FailureKind::Budget) then, and the build waits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAccess {
    /// With the version, without a slash at its end: `http://127.0.0.1:41753/v1`.
    pub base_url: String,
    /// A Unix socket with the same API, for the daemon's user; absent where the data folder's path is too long for one.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// Names on whose account a call is, and ends by itself. A secret: it belongs in no log and no file.
    pub token: String,
    /// Names that can be asked for, and the model that each stands for now: `fast`, `smart`, `judge`, and the operator's.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

impl fmt::Debug for ModelAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelAccess")
            .field("base_url", &self.base_url)
            .field("socket", &self.socket)
            .field("token", &"***")
            .field("models", &self.models)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_token_is_not_printed() {
        let access = ModelAccess {
            base_url: "http://127.0.0.1:1/v1".into(),
            socket: None,
            token: "nxm.secret".into(),
            models: BTreeMap::new(),
        };
        let printed = format!("{access:?}");
        assert!(printed.contains("***") && !printed.contains("secret"), "{printed}");
    }
}
