//! The words for principals: what a text in `trust` or `principals` names, and what AWS would refuse.
//!
//! AWS's forms: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.

use super::document::PrincipalKind;
use super::problem::{Problem, code};
use super::text;
use crate::address::Path;
use crate::value::Value;

/// What a word names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// Everybody, `*`.
    Everyone,
    /// A service, `ec2.amazonaws.com`.
    Service,
    /// An account, user, role or session: its account id or ARN.
    Aws,
    /// An OpenID Connect provider; the host and path that its condition keys start with.
    OpenId {
        /// `token.actions.githubusercontent.com`.
        issuer: &'a str,
    },
    /// A SAML provider.
    Saml {
        /// The partition it is in, `aws`.
        partition: &'a str,
    },
}

impl Word<'_> {
    /// The kind of principal it is.
    pub fn kind(&self) -> PrincipalKind {
        match self {
            Self::Everyone | Self::Aws => PrincipalKind::Aws,
            Self::Service => PrincipalKind::Service,
            Self::OpenId { .. } | Self::Saml { .. } => PrincipalKind::Federated,
        }
    }
}

/// Identity providers that AWS knows without a provider resource, by the name they go by.
pub const KNOWN_ISSUERS: [&str; 4] =
    ["accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"];

/// What a word names. Fails on what AWS would refuse as a principal; the problem's path is `path`.
pub fn classify<'a>(text: &'a str, path: &Path) -> Result<Word<'a>, Problem> {
    let refuse = |message: String, help: &str| Err(Problem::error(code::PRINCIPAL, path.clone(), message).help(help));
    if text == "*" {
        return Ok(Word::Everyone);
    }
    if KNOWN_ISSUERS.contains(&text) {
        return Ok(Word::OpenId { issuer: text });
    }
    if is_account(text) || is_service(text) {
        return Ok(if is_account(text) { Word::Aws } else { Word::Service });
    }
    if is_unique_id(text) {
        return refuse(
            format!("`{text}` is the unique id of a user or role, which AWS shows where one was deleted"),
            "write the ARN of the user or role that is meant",
        );
    }
    let Some(arn) = Arn::parse(text) else {
        let digits = text.chars().all(|c| c.is_ascii_digit());
        return match digits && !text.is_empty() {
            true => refuse(format!("`{text}` has {} digits and is no account id", text.len()), "an account id has 12"),
            false => refuse(
                format!("`{text}` names no principal"),
                "write a service (`ec2.amazonaws.com`), an account id of 12 digits, or the ARN of a role, user or provider",
            ),
        };
    };
    if arn.resource.contains(['*', '?']) {
        return refuse(
            format!("`{text}` has a wildcard, which AWS refuses in a principal"),
            "name the account, and put the pattern into a condition `ArnLike` on `aws:PrincipalArn`",
        );
    }
    let (sort, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    match (arn.service, sort, name.is_empty()) {
        ("iam", "root", true) if is_account(arn.account) => Ok(Word::Aws),
        ("iam", "role" | "user", false) if is_account(arn.account) || arn.account == "cloudfront" => Ok(Word::Aws),
        ("iam", "oidc-provider", false) if is_account(arn.account) => Ok(Word::OpenId { issuer: name }),
        ("iam", "saml-provider", false) if is_account(arn.account) => Ok(Word::Saml { partition: arn.partition }),
        ("sts", "assumed-role" | "federated-user", false) if is_account(arn.account) => Ok(Word::Aws),
        ("iam", "role" | "user" | "root" | "oidc-provider" | "saml-provider", _) => refuse(
            format!("`{text}` is not the whole ARN of a principal"),
            "an ARN of IAM has the account's 12 digits and a name",
        ),
        ("iam", "group", _) => {
            refuse(format!("`{text}` is a group, and a group is no principal"), "name its users, or the account")
        }
        ("iam", "instance-profile", _) => {
            refuse(format!("`{text}` is an instance profile, and that is no principal"), "name its role")
        }
        _ => refuse(
            format!("`{text}` is no principal"),
            "only accounts, users, roles, sessions, services and identity providers are; a resource acts through its role, or as its service with a condition on `aws:SourceArn`",
        ),
    }
}

/// What a value names, as [`classify`]; `None` where it is not known. A problem with a secret does not tell it.
pub fn classify_value<'a>(value: &'a Value, path: &Path) -> Option<Result<Word<'a>, Problem>> {
    let found = classify(text::exposed(value)?, path);
    match value.is_sensitive() {
        true => Some(found.map_err(|_| {
            Problem::error(code::PRINCIPAL, path.clone(), "this secret names no principal that AWS would take")
        })),
        false => Some(found),
    }
}

/// The parts of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// `s3`.
    pub service: &'a str,
    /// `us-east-1`; empty where there is none.
    pub region: &'a str,
    /// 12 digits; empty where there is none.
    pub account: &'a str,
    /// The rest.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts of a text that is an ARN by its form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let first = parts.next()?;
        let arn = Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        (first == "arn" && !arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty())
            .then_some(arn)
    }
}

/// Whether a text is an account id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is one of AWS's unique ids of principals: 16 to 128 capitals and digits after a known start.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
pub fn is_unique_id(text: &str) -> bool {
    ["AROA", "AIDA", "AGPA"].iter().any(|start| text.starts_with(start))
        && (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The account of a root ARN.
pub(super) fn root_account(text: &str) -> Option<&str> {
    let arn = Arn::parse(text)?;
    (arn.service == "iam" && arn.region.is_empty() && arn.resource == "root" && is_account(arn.account))
        .then_some(arn.account)
}

fn is_service(text: &str) -> bool {
    let ends = [".amazonaws.com", ".amazonaws.com.cn", ".aws.internal", ".amazon.com"];
    let name = ends.iter().find_map(|end| text.strip_suffix(end));
    name.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Result<Word<'_>, String> {
        classify(text, &Path::default()).map_err(|problem| problem.message)
    }

    #[test]
    fn words_name_what_they_name() {
        for (text, expected) in [
            ("*", Word::Everyone),
            ("ec2.amazonaws.com", Word::Service),
            ("logs.us-east-1.amazonaws.com", Word::Service),
            ("ec2.amazonaws.com.cn", Word::Service),
            ("123456789012", Word::Aws),
            ("arn:aws:iam::123456789012:root", Word::Aws),
            ("arn:aws-cn:iam::123456789012:role/path/to/name", Word::Aws),
            ("arn:aws:sts::123456789012:assumed-role/name/session", Word::Aws),
            ("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1", Word::Aws),
            (
                "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB",
                Word::OpenId { issuer: "oidc.eks.us-east-1.amazonaws.com/id/AB" },
            ),
            ("cognito-identity.amazonaws.com", Word::OpenId { issuer: "cognito-identity.amazonaws.com" }),
            ("arn:aws-us-gov:iam::123456789012:saml-provider/Okta", Word::Saml { partition: "aws-us-gov" }),
        ] {
            assert_eq!(word(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_aws_refuses_is_refused_with_its_reason() {
        for (text, reason) in [
            ("uploader", "names no principal"),
            ("", "names no principal"),
            ("ec2", "names no principal"),
            ("EC2.amazonaws.com", "names no principal"),
            ("12345678901", "has 11 digits"),
            ("AROAJQABLZS4A3QDU576Q", "unique id"),
            ("arn:aws:iam::123456789012:role/*", "wildcard"),
            ("arn:aws:iam::123456789012:role/", "not the whole ARN"),
            ("arn:aws:iam::12345:role/x", "not the whole ARN"),
            ("arn:aws:iam::123456789012:group/x", "is a group"),
            ("arn:aws:iam::123456789012:instance-profile/x", "instance profile"),
            ("arn:aws:iam::123456789012:policy/x", "is no principal"),
            ("arn:aws:s3:::bucket", "is no principal"),
        ] {
            let message = word(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
