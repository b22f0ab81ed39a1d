//! What is not trusted is bounded: by counting, since time is the machine's.

use super::super::{MAX_BYTES, MAX_DEPTH, MAX_VALUES, load};
use super::{NoModules, file, lines, types};

fn refused(text: &str) -> String {
    let (stack, diagnostics) = load(&[file("stack.toml", text)], &types(), &NoModules);
    assert!(stack.is_none());
    lines(&diagnostics)
}

#[test]
fn a_file_has_at_most_ten_megabytes() {
    let said = refused(&"#".repeat(MAX_BYTES + 1));
    assert!(said.starts_with("error[S3S-P2]: the file has 10485761 bytes"), "{said}");
}

#[test]
fn nothing_nests_deeper_than_the_bound_however_it_is_written() {
    let nested = |depth: usize| {
        [
            format!("a.b.c.x = {}1{}", "[".repeat(depth), "]".repeat(depth)),
            format!("a = {}1{}", "{ a = ".repeat(depth), " }".repeat(depth)),
            format!("a.b.c = {}1{}", "[{ a = ".repeat(depth), " }]".repeat(depth)),
            format!("{} = 1", vec!["a"; depth].join(".")),
            format!("[{}]", vec!["a"; depth].join(".")),
            format!("[[{}]]", vec!["a"; depth].join(".")),
            format!("a = {}", "[".repeat(depth)),
            format!("a = {}", "{".repeat(depth)),
            format!("a = {}", "{ a = ".repeat(depth)),
        ]
    };
    for text in nested(10_000) {
        let said = refused(&text);
        let head = text.get(..20).unwrap();
        assert!(
            said.contains(&format!("nested more than {MAX_DEPTH} deep")) || said.contains("S3S-P1"),
            "{head}: {said}"
        );
    }
    for text in &nested(MAX_DEPTH + 1)[..6] {
        assert!(refused(text).contains("deep"), "{text}");
    }
}

#[test]
fn as_deep_as_the_bound_is_read() {
    // Four keys and sixty lists; `default` takes anything.
    let text = format!("stack.name = \"x\"\nvar.a.default.b = {}1{}", "[".repeat(60), "]".repeat(60));
    let (stack, diagnostics) = load(&[file("stack.toml", &text)], &types(), &NoModules);
    assert_eq!(lines(&diagnostics), "");
    assert!(stack.is_some());
}

#[test]
fn a_stack_has_at_most_so_many_values_in_all_its_files() {
    let list = format!("[output]\nx = [{}]\n", "1,".repeat(MAX_VALUES));
    let said = refused(&list);
    assert!(said.starts_with("error[S3S-P2]: the stack has more than 100000 values"), "{said}");
    assert_eq!(said.lines().count(), 1);

    let half = |name: &str| file(name, &format!("[output]\n{name} = [{}]\n", "1,".repeat(MAX_VALUES / 2)));
    let (stack, diagnostics) = load(&[half("a"), half("b")], &types(), &NoModules);
    assert!(stack.is_none(), "{}", lines(&diagnostics));
    assert!(load(&[half("a")], &types(), &NoModules).0.is_some());
}

#[test]
fn tables_that_dotted_keys_make_count() {
    let key = vec!["a"; MAX_DEPTH - 2].join(".");
    let text: String = (0..2_000).map(|at| format!("x.y{at}.{key} = 1\n")).collect();
    assert!(refused(&text).contains("more than 100000 values"));
}

#[test]
fn a_file_of_nothing_but_line_ends_is_refused_for_its_words() {
    assert!(refused(&"\n".repeat(3_000_000)).contains("more than 2000000 words"));
}

#[test]
fn what_is_told_is_bounded_too() {
    let said = refused(&"= \n".repeat(10_000));
    assert!(said.lines().count() <= 101, "{}", said.lines().count());
    assert!(said.contains("more syntax errors"));

    let unknown: String = (0..5_000).map(|at| format!("[unknown{at}.x]\n")).collect();
    let (_, diagnostics) = load(&[file("stack.toml", &unknown)], &types(), &NoModules);
    assert!(diagnostics.0.len() <= 202, "{}", diagnostics.0.len());
}
