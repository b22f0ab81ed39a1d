//! Names, paths and ARNs of IAM's resources.

use s3stack_engine::resource::{Facts, NameScope, Naming, PropertyReader};
use s3stack_engine::value::{Map, Unknown, Value};

/// What names of roles and users look like, FACTS 10.1.
pub const PATTERN: &str = r"^[A-Za-z0-9_+=,.@-]+$";

/// What paths look like: they begin and end with a slash, with visible ASCII between.
pub const PATH_PATTERN: &str = r"^/([!-~]+/)?$";

/// The naming of a type: an account's roles must differ, whatever their paths and the case of letters.
pub const fn naming(max: usize) -> Naming {
    Naming { property: "name", max, account_suffix: false, scope: NameScope::Account, ignore_case: true }
}

/// The ARN of a `sort` of resource (`role`, `policy`), predicted from its path and name.
pub fn predict_arn(sort: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
    let (path, name) = (property("path"), property("name"));
    let path = if path.is_null() { "/".into() } else { path };
    match (path.as_str(), name.as_str()) {
        (Some(path), Some(name)) => arn(facts, sort, path, name).into(),
        _ => Value::from(Unknown::Expression {
            source: format!("arn:{}:iam::{}:{sort}${{path}}${{name}}", facts.partition, facts.account_id),
            scope: Map::from([("path".to_owned(), path), ("name".to_owned(), name)]),
        }),
    }
}

/// The ARN of a `sort` of resource.
pub fn arn(facts: &Facts, sort: &str, path: &str, name: &str) -> String {
    format!("arn:{}:iam::{}:{sort}{path}{name}", facts.partition, facts.account_id)
}

/// The path and name in an ARN of IAM, `/app/` and `reader` of `arn:aws:iam::123456789012:policy/app/reader`.
pub fn path_and_name(arn: &str) -> Option<(&str, &str)> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let path = resource.get(resource.find('/')?..)?;
    let cut = path.rfind('/')? + 1;
    Some((path.get(..cut)?, path.get(cut..)?)).filter(|(_, name)| !name.is_empty())
}

/// The key under which a name is looked up: AWS takes names that differ in case alone for one.
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether what has a name is one of those in state that wait for a resource, given by type and identifier.
pub fn is_dependent(dependents: &[(String, String)], type_name: &str, name: &str) -> bool {
    dependents.iter().any(|(of_type, id)| of_type == type_name && folded(id) == folded(name))
}

/// Whether two values are one name, or the same.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3stack_engine::schema::validate::matches;

    fn facts() -> Facts {
        Facts {
            partition: "aws".into(),
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            stack: "s".into(),
            environment: "default".into(),
        }
    }

    #[test]
    fn an_arn_has_the_path_and_no_region() {
        let mut read = |name: &str| if name == "path" { "/app/".into() } else { "r".into() };
        assert_eq!(predict_arn("role", &facts(), &mut read), "arn:aws:iam::123456789012:role/app/r".into());
        let mut without = |name: &str| if name == "path" { Value::Null } else { "r".into() };
        assert_eq!(predict_arn("role", &facts(), &mut without), "arn:aws:iam::123456789012:role/r".into());
    }

    #[test]
    fn path_and_name_come_out_of_an_arn() {
        assert_eq!(path_and_name("arn:aws:iam::123456789012:policy/a/b/p"), Some(("/a/b/", "p")));
        assert_eq!(path_and_name("arn:aws:iam::123456789012:policy/p"), Some(("/", "p")));
        assert_eq!(path_and_name("arn:aws:iam::123456789012:root"), None);
    }

    #[test]
    fn a_dependent_is_told_by_type_and_name_whatever_the_case() {
        let dependents = [("iam.role".to_owned(), "Reader".to_owned())];
        assert!(is_dependent(&dependents, "iam.role", "reader"));
        assert!(!is_dependent(&dependents, "iam.user", "Reader"));
        assert!(!is_dependent(&dependents, "iam.role", "writer"));
    }

    #[test]
    fn paths_begin_and_end_with_a_slash() {
        assert!(["/", "/a/", "/a/b.c/"].iter().all(|path| matches(PATH_PATTERN, path)));
        assert!(!["", "a", "/a", "a/", "/a b/", "//"].iter().any(|path| matches(PATH_PATTERN, path)));
    }
}
