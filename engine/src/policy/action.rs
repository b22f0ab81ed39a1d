//! Actions and the patterns they are written with.

/// Whether a pattern with `*` (any characters) and `?` (one) covers a text, ignoring case as AWS does in actions.
///
/// A text that is itself a pattern is covered when the pattern covers everything it does: its wildcards must be met by
/// wildcards.
pub fn covers(pattern: &str, text: &str) -> bool {
    // Every action is ASCII, and each is held against some hundred patterns: those are compared where they stand.
    if pattern.is_ascii() && text.is_ascii() {
        return meets(pattern.as_bytes(), text.as_bytes(), (b'*', b'?'), u8::eq_ignore_ascii_case);
    }
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    meets(&letters(pattern), &letters(text), ('*', '?'), char::eq)
}

/// [`covers`] of letters of some kind; `any` and `one` are the wildcards.
fn meets<T: Copy + PartialEq>(pattern: &[T], text: &[T], (any, one): (T, T), same: fn(&T, &T) -> bool) -> bool {
    // Greedy with one step back: `star` is where the last `*` stands and how much of the text it has taken.
    let (mut at, mut read, mut star) = (0, 0, None);
    while let Some(letter) = text.get(read) {
        match pattern.get(at) {
            Some(wild) if *wild == any => {
                star = Some((at, read));
                at += 1;
            }
            Some(wild) if *wild == one && *letter != any => {
                at += 1;
                read += 1;
            }
            Some(wanted) if same(wanted, letter) => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((pattern_at, taken)) => {
                    star = Some((pattern_at, taken + 1));
                    at = pattern_at + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == any)
}

/// Whether the text has wildcards.
pub fn is_pattern(action: &str) -> bool {
    action.contains(['*', '?'])
}

/// The service of an action, `s3` of `s3:GetObject`.
pub fn service(action: &str) -> Option<&str> {
    action.split_once(':').map(|(service, _)| service)
}

/// Whether a text can be an action: `*`, or a service, a colon and a name that may have wildcards.
pub fn is_action(text: &str) -> bool {
    text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            let service_ok = service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            let name_ok = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?'));
            !service.is_empty() && !name.is_empty() && service_ok && name_ok
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_texts_whatever_their_case() {
        for (pattern, text) in [
            ("s3:*", "s3:GetObject"),
            ("s3:*Object*", "s3:getobjectacl"),
            ("s3:GetObject", "S3:GETOBJECT"),
            ("s3:Get?bject", "s3:GetObject"),
            ("*", "s3:GetObject"),
            ("s3:a*b*c", "s3:axbxbc"),
            ("s3:GetObject*", "s3:GetObject"),
            ("Ä:*", "ä:Ö"),
        ] {
            assert!(covers(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("s3:Get*", "s3:PutObject"), ("s3:a*b", "s3:abc"), ("s3:?", "s3:"), ("s3:Get", "s3:GetObject")]
        {
            assert!(!covers(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_is_covered_only_by_a_wider_one() {
        assert!(covers("s3:GetObject*", "s3:GetObjectV*"));
        assert!(covers("s3:*", "s3:Get*"));
        assert!(!covers("s3:GetObject*", "s3:Get*"));
        assert!(!covers("s3:Ge?", "s3:Ge*"));
    }

    #[test]
    fn only_actions_are_actions() {
        assert!(["*", "s3:*", "s3:GetObject", "execute-api:Invoke"].into_iter().all(is_action));
        assert!(!["", "s3", "s3:", ":x", "s3:Get Object", "arn:aws:s3:::x"].into_iter().any(is_action));
    }
}
