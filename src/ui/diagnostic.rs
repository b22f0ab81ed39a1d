//! Diagnostics as people read them: the lines of the file, what is wrong with them, and the next step.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile, Span};

use super::text::{Layout, Role, count, plain, wrap};
use super::values;

/// Characters that the margin of notes takes.
const MARGIN: usize = 14;

/// Most characters of a property's path beside its mark.
const LONGEST_PATH: usize = 80;

/// All diagnostics with a final count: warnings first, so that errors stand next to the prompt; each by its place.
pub fn render_diagnostics(diagnostics: &Diagnostics, layout: &Layout) -> String {
    let mut text = String::new();
    for diagnostic in sorted(diagnostics) {
        text.push_str(&render_diagnostic(diagnostic, layout));
        text.push_str("\n\n");
    }
    let (errors, warnings) = totals(diagnostics);
    let told: Vec<String> =
        [(errors, "error", "errors", Role::Error), (warnings, "warning", "warnings", Role::Warning)]
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many, role)| layout.paint(role, &count(number, one, many)))
            .collect();
    if !told.is_empty() {
        text.push_str(&told.join(", "));
        text.push('\n');
    }
    text
}

/// The different diagnostics in the order in which they are shown.
pub fn sorted(diagnostics: &Diagnostics) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = Vec::new();
    let place = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.as_ref().map(|span| (span.file.name.clone(), span.start));
        (std::cmp::Reverse(diagnostic.severity), place.is_none(), place)
    };
    let mut all: Vec<&Diagnostic> = diagnostics.0.iter().collect();
    all.sort_by_cached_key(|diagnostic| (place(diagnostic), diagnostic.to_string()));
    for diagnostic in all {
        // Equal ones are neighbours now.
        if sorted.last().is_none_or(|last| *last != diagnostic) {
            sorted.push(diagnostic);
        }
    }
    sorted
}

/// How many different errors and warnings there are.
pub fn totals(diagnostics: &Diagnostics) -> (usize, usize) {
    let sorted = sorted(diagnostics);
    let errors = sorted.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    (errors, sorted.len() - errors)
}

/// One diagnostic, without a final line end.
pub fn render_diagnostic(diagnostic: &Diagnostic, layout: &Layout) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = plain(&diagnostic.message).into_owned();
    let mut group = Group::with_title(level.primary_title(message).id(diagnostic.code));
    let subject = subject(diagnostic);
    let marks = marks(diagnostic, &subject);
    if marks.is_empty() && !subject.is_empty() {
        group = group.element(Origin::path(subject));
    }
    for (file, marks) in &marks {
        group = group.element(snippet(file, marks));
    }
    let indented = |text: &str| wrap(&plain(text), layout.width.saturating_sub(MARGIN).max(40)).join("\n");
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(indented(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(indented(help)));
    }
    let renderer = if layout.colour { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(layout.width).render(&[group])
}

/// What a diagnostic is about: the resource, and the property in it.
fn subject(diagnostic: &Diagnostic) -> String {
    let address = diagnostic.address.as_ref().map(values::address);
    let path = diagnostic.path.as_ref().filter(|path| !path.0.is_empty()).map(|path| short(&plain(&path.to_string())));
    [address, path].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The beginning of a path whose keys are longer than anybody reads.
fn short(path: &str) -> String {
    match path.char_indices().nth(LONGEST_PATH) {
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
        None => path.to_owned(),
    }
}

/// A marked range of a file.
struct Mark {
    range: Range<usize>,
    text: String,
    primary: bool,
}

/// The marks by file, the diagnostic's own place first.
fn marks(diagnostic: &Diagnostic, subject: &str) -> Vec<(Arc<SourceFile>, Vec<Mark>)> {
    let mut files: Vec<(Arc<SourceFile>, Vec<Mark>)> = Vec::new();
    let mut add = |span: &Span, text: String, primary: bool| {
        let mark = Mark { range: first_line(span), text, primary };
        match files.iter_mut().find(|(file, _)| *file == span.file) {
            Some((_, marks)) => marks.push(mark),
            None => files.push((span.file.clone(), vec![mark])),
        }
    };
    if let Some(span) = &diagnostic.span {
        let said = diagnostic.address.as_ref().is_some_and(|address| diagnostic.message.contains(&address.to_string()));
        add(span, if said { String::new() } else { subject.to_owned() }, true);
    }
    for label in &diagnostic.labels {
        add(&label.span, plain(&label.text).into_owned(), false);
    }
    files
}

/// The part of a span that lies in its first line, on whole characters: a block of forty lines is named by its header.
fn first_line(span: &Span) -> Range<usize> {
    let text = &span.file.text;
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end).max(start);
    let line = text.get(start..end).unwrap_or_default();
    let length = line.find(['\n', '\r']).unwrap_or(line.len());
    start..start + length
}

/// The lines from the first mark to the last: what is laid out is only as long as what is shown.
fn snippet<'a>(file: &'a SourceFile, marks: &[Mark]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = file.text.as_str();
    let first = marks.iter().map(|mark| mark.range.start).min().unwrap_or_default();
    let last = marks.iter().map(|mark| mark.range.end).max().unwrap_or_default();
    let (before, after) = (text.get(..first).unwrap_or_default(), text.get(last..).unwrap_or_default());
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = last + after.find('\n').unwrap_or(after.len());
    let line = before.matches('\n').count() + 1;
    // Half a line end of Windows would be shown as a sign.
    let end = if last < end && text.get(..end).is_some_and(|text| text.ends_with('\r')) { end - 1 } else { end };
    let snippet =
        Snippet::source(text.get(start..end).unwrap_or_default()).path(plain(&file.name).into_owned()).line_start(line);
    snippet.annotations(marks.iter().map(|mark| {
        let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let label = (!mark.text.is_empty()).then(|| mark.text.clone());
        kind.span(mark.range.start - start..mark.range.end - start).label(label)
    }))
}

#[cfg(test)]
mod tests {
    use s3stack_engine::address::{Address, Path};

    use super::*;

    fn file() -> Arc<SourceFile> {
        let text = "[s3.bucket.processing]\nname = \"eventpulse-ä\"\nversioning = true\n\n[s3.bucket.quarantine]\nname = \"eventpulse-ä\"\n";
        Arc::new(SourceFile { name: "stack.toml".into(), text: text.into() })
    }

    fn at(file: &Arc<SourceFile>, part: &str, nth: usize) -> Span {
        let start = file.text.match_indices(part).nth(nth).unwrap().0;
        Span { file: file.clone(), start, end: start + part.len() }
    }

    fn shown(diagnostic: &Diagnostic) -> String {
        render_diagnostic(diagnostic, &Layout::default())
    }

    #[test]
    fn a_finding_shows_its_lines_and_the_next_step() {
        let file = file();
        let diagnostic = Diagnostic::error("S3S-N1", "two buckets have one name")
            .at(at(&file, "\"eventpulse-ä\"", 0))
            .on(&Address::root("s3.bucket", "processing"))
            .property(&Path::of("name"))
            .label(Some(at(&file, "\"eventpulse-ä\"", 1)), "s3.bucket.quarantine name")
            .note("In us-east-1 AWS would accept both and each block would overwrite the other's settings.")
            .help("give one of them another name");
        insta::assert_snapshot!(shown(&diagnostic), @r#"
        error[S3S-N1]: two buckets have one name
         --> stack.toml:2:8
          |
        2 | name = "eventpulse-ä"
          |        ^^^^^^^^^^^^^^ s3.bucket.processing name
        ...
        6 | name = "eventpulse-ä"
          |        -------------- s3.bucket.quarantine name
          |
          = note: In us-east-1 AWS would accept both and each block would overwrite the other's
                  settings.
          = help: give one of them another name
        "#);
    }

    #[test]
    fn without_a_place_the_resource_is_named_and_long_notes_are_wrapped() {
        let diagnostic = Diagnostic::error("S3S-X2", "reading the state failed")
            .on(&Address::root("s3.bucket", "data"))
            .note("s3:GetBucketPolicy answered AccessDenied: User: arn:aws:iam::123456789012:user/ci is not authorized to \
                   perform: s3:GetBucketPolicy on resource: arn:aws:s3:::data (request REQ1)\u{1b}[2J")
            .help("allow s3:GetBucketPolicy");
        insta::assert_snapshot!(shown(&diagnostic), @r"
        error[S3S-X2]: reading the state failed
        --> s3.bucket.data
         = note: s3:GetBucketPolicy answered AccessDenied: User: arn:aws:iam::123456789012:user/ci is
                 not authorized to perform: s3:GetBucketPolicy on resource: arn:aws:s3:::data (request
                 REQ1)\u{1b}[2J
         = help: allow s3:GetBucketPolicy
        ");
        insta::assert_snapshot!(shown(&Diagnostic::warning("S3S-X1", "no place at all")), @"warning[S3S-X1]: no place at all");
    }

    #[test]
    fn places_in_other_files_and_over_many_lines_are_shown() {
        let file = file();
        let other = Arc::new(SourceFile { name: "module.toml".into(), text: "a = 1\r\nb = 2\r\n".into() });
        let whole = Span { file: file.clone(), start: 0, end: file.text.len() };
        let end = Span { file: other.clone(), start: 900, end: 1000 };
        let diagnostic = Diagnostic::warning("S3S-T1", "s3.bucket.processing is wide")
            .at(whole)
            .on(&Address::root("s3.bucket", "processing"))
            .label(Some(Span { file: other.clone(), start: 4, end: 9 }), "here")
            .label(Some(end), "and at the end");
        insta::assert_snapshot!(shown(&diagnostic), @"
        warning[S3S-T1]: s3.bucket.processing is wide
         --> stack.toml:1:1
          |
        1 | [s3.bucket.processing]
          | ^^^^^^^^^^^^^^^^^^^^^^
          |
         ::: module.toml:1:5
          |
        1 | a = 1
          |     - here
        2 | b = 2
          |      - and at the end
        ");
    }

    #[test]
    fn line_ends_of_windows_and_endless_paths_are_not_shown() {
        let file = Arc::new(SourceFile { name: "stack.toml".into(), text: "[a]\r\nname = 1\r\nb = 2\r\n".into() });
        let diagnostic = Diagnostic::error("S3S-W2", "expected a string")
            .at(at(&file, "1", 0))
            .property(&Path::of("x".repeat(200)))
            .help("put quotes round it");
        let text = shown(&diagnostic);
        assert!(text.contains(&format!("2 | name = 1\n  |        ^ {}…\n", "x".repeat(LONGEST_PATH))), "{text}");
    }

    #[test]
    fn all_are_shown_once_in_order_with_a_count() {
        let file = file();
        let error = |part: &str| Diagnostic::error("S3S-T2", format!("wrong {part}")).at(at(&file, part, 0));
        let diagnostics = Diagnostics(vec![
            Diagnostic::error("S3S-X2", "no place"),
            error("versioning"),
            error("name"),
            Diagnostic::warning("S3S-W1", "a warning").at(at(&file, "true", 0)),
            error("versioning"),
        ]);
        let order: Vec<_> = sorted(&diagnostics).iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert_eq!(order, ["a warning", "wrong name", "wrong versioning", "no place"]);
        let text = render_diagnostics(&diagnostics, &Layout::default());
        assert!(text.ends_with("\n\n3 errors, 1 warning\n"), "{text}");
        assert_eq!(render_diagnostics(&Diagnostics::default(), &Layout::default()), "");
    }
}
