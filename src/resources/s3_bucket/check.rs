//! What is wrong with a bucket's name beyond its pattern.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

use std::net::Ipv4Addr;

use s3stack_engine::schema::validate::Problem;

use super::setting::at;

const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Checks a name that fits the pattern.
pub(super) fn name(name: &str, problems: &mut Vec<Problem>) {
    let mut wrong = |message: String| {
        problems.push(Problem::new("S3S-N4", &at("name"), message).help("choose another name, or leave it to s3stack"));
    };
    if name.contains("..") {
        wrong(format!("the bucket name {name} has two dots side by side"));
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        wrong(format!("the bucket name {name} looks like an IP address"));
    }
    if let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        wrong(format!("the bucket name {name} begins with `{prefix}`, which AWS keeps for itself"));
    }
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        wrong(format!("the bucket name {name} ends with `{suffix}`, which AWS keeps for itself"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused_and_usual_ones_are_not() {
        let problems = |text: &str| {
            let mut found = Vec::new();
            name(text, &mut found);
            found.len()
        };
        for bad in ["a..b", "10.0.0.1", "xn--bucket", "logs-s3alias", "logs--x-s3"] {
            assert_eq!(problems(bad), 1, "{bad}");
        }
        for good in ["my-logs", "my.logs", "10.0.0.1.x", "s3alias-logs"] {
            assert_eq!(problems(good), 0, "{good}");
        }
    }
}
