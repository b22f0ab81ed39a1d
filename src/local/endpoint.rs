//! Where a private AWS listens and who its caller is.

use std::path::PathBuf;

/// The account of a caller that names none.
pub const DEFAULT_ACCOUNT_ID: &str = "000000000000";

/// The secret of every account's root key: the emulator checks it only with [`Options::authorize`](super::Options).
pub const SECRET_ACCESS_KEY: &str = "test";

/// A private AWS, as one account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`, or `https://…` with [`Options::tls`](super::Options).
    pub url: String,
    /// Twelve digits. It is the access key id too: that is how the emulator tells accounts apart.
    pub account_id: String,
    /// The self-signed certificate (PEM) to trust when `url` is https.
    pub certificate: Option<PathBuf>,
}

impl Endpoint {
    /// The same emulator seen by another account, which starts empty (bucket names are global, as in AWS).
    #[must_use]
    pub fn for_account(&self, account_id: &str) -> Self {
        Self { account_id: account_id.to_owned(), ..self.clone() }
    }

    /// The variables with which any AWS SDK or the AWS CLI talks to this endpoint instead of to AWS.
    ///
    /// `AWS_SESSION_TOKEN` is emptied: one left over from a real session would be sent along.
    #[must_use]
    pub fn environment_variables(&self, region: &str) -> Vec<(String, String)> {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", self.account_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", String::new()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        if let Some(certificate) = &self.certificate {
            variables.push(("AWS_CA_BUNDLE", certificate.display().to_string()));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_is_another_key_at_the_same_place() {
        let endpoint =
            Endpoint { url: "http://127.0.0.1:1".into(), account_id: DEFAULT_ACCOUNT_ID.into(), certificate: None };
        let other = endpoint.for_account("111122223333");
        let variables = other.environment_variables("eu-west-1");
        let value = |name: &str| variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(value("AWS_ENDPOINT_URL"), Some("http://127.0.0.1:1"));
        assert_eq!(value("AWS_ACCESS_KEY_ID"), Some("111122223333"));
        assert_eq!(value("AWS_REGION"), Some("eu-west-1"));
        assert_eq!(value("AWS_SESSION_TOKEN"), Some(""));
        assert_eq!(value("AWS_CA_BUNDLE"), None);
    }
}
