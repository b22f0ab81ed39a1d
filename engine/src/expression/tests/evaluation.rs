//! What each kind of node evaluates to, and what is wrong where.

use std::sync::Arc;

use super::scope::{Names, error, evaluate, literal_origin};
use crate::address::{Address, Step};
use crate::diagnostic::SourceFile;
use crate::expression::functions::{self, Function};
use crate::expression::{
    ARITHMETIC, Budget, KIND, LIMIT, MISSING, Origin, REFUSED, SYNTAX, Template, UNKNOWN_FUNCTION,
};
use crate::value::Value;

fn names() -> Names {
    let bucket = Address::root("s3.bucket", "data");
    let mut group = Address::root("logs.group", "this");
    let mut groups = Vec::new();
    let mut names = Names::default();
    for key in ["a", "b"] {
        group.key = Some(key.into());
        groups.push((key, Value::Reference(group.clone())));
        names = names.with(&group, "arn", Value::from(format!("arn:{key}")));
    }
    let groups = Value::map([("group", Value::map([("this", Value::map(groups))]))]);
    let buckets = Value::map([("bucket", Value::map([("data", Value::Reference(bucket.clone()))]))]);
    let variables = Value::map([
        ("name", Value::from("data")),
        ("count", Value::Integer(3)),
        ("on", Value::Bool(true)),
        ("none", Value::Null),
        ("list", Value::strings(["x", "y", "z"])),
        ("tags", Value::map([("team", Value::from("ops")), ("cost center", Value::from("7"))])),
        ("rows", Value::List(vec![Value::map([("id", Value::Integer(1))]), Value::map([("id", Value::Integer(2))])])),
    ]);
    names.roots =
        Names::of([("var", variables), ("env", Value::from("prod")), ("logs", groups), ("s3", buckets)]).roots;
    names.with(&bucket, "arn", Value::from("arn:aws:s3:::data")).with(
        &bucket,
        "tags",
        Value::map([("a", Value::from("b"))]),
    )
}

fn json(text: &str) -> String {
    match evaluate(text, &names()) {
        Ok(value) => value.to_json().unwrap().to_string(),
        Err(found) => panic!("{text}: {}", found.0[0]),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(&json(text), expected, "{text}");
    }
}

#[test]
fn literals_and_templates() {
    check(&[
        ("plain", r#""plain""#),
        ("", r#""""#),
        ("$${var.name} %{if}", r#""${var.name} %{if}""#),
        ("${aws:username}/${var.name}", r#""${aws:username}/data""#),
        ("${null}", "null"),
        ("${true}", "true"),
        ("${1}", "1"),
        ("${-1.5e1}", "-15"),
        ("${ - 9223372036854775808}", "-9223372036854775808"),
        ("${1e30}", "1e+30"),
        (r#"${"a\n\t\"\\\u00e9\U0001F642"}"#, r#""a\n\t\"\\é🙂""#),
        ("${var.on}", "true"),
        ("x${var.on}-${var.count}-${0.5}", r#""xtrue-3-0.5""#),
        (r#"${"${var.count}"}"#, "3"),
        (r#"${"a-${var.name}-${"b${"c"}"}"}"#, r#""a-data-bc""#),
        (r#"${"$${x} %{y} ${aws:username}"}"#, r#""${x} %{y} ${aws:username}""#),
        ("${\n  1 # one\n  + 2 // two\n}", "3"),
        ("${1 # to the end\n}", "1"),
    ]);
}

#[test]
fn lists_objects_and_fors() {
    check(&[
        ("${[1, \"a\", [true],]}", r#"[1,"a",[true]]"#),
        ("${{ a = 1, \"b c\" : 2, (var.name) = 3, \"x${var.count}\" = 4 }}", r#"{"a":1,"b c":2,"data":3,"x3":4}"#),
        ("${{ \"${var.name}\" = 1, \"_{var.name}\" = 2 }}", r#"{"_{var.name}":2,"data":1}"#),
        ("${{\n a = 1\n b = 2\n}}", r#"{"a":1,"b":2}"#),
        ("${[for v in var.list : upper(v)]}", r#"["X","Y","Z"]"#),
        ("${[for i, v in var.list : \"${i}${v}\" if v != \"y\"]}", r#"["0x","2z"]"#),
        ("${{for k, v in var.tags : upper(k) => v}}", r#"{"COST CENTER":"7","TEAM":"ops"}"#),
        ("${{for v in [\"ab\", \"ac\", \"b\"] : substr(v, 0, 1) => v...}}", r#"{"a":["ab","ac"],"b":["b"]}"#),
        ("${[for v in [1, 2] : [for v in [v, v] : v * 10]]}", "[[10,10],[20,20]]"),
        ("${[for var in [{ name = 1 }] : var.name]}", "[1]"),
        ("${[for v in {} : v]}", "[]"),
    ]);
}

#[test]
fn traversals() {
    check(&[
        ("${var.tags.team}", r#""ops""#),
        ("${var.tags[\"cost center\"]}", r#""7""#),
        ("${var.list[0]}${var.list.1}", r#""xy""#),
        ("${var.list[var.count - 1]}", r#""z""#),
        ("${var.rows[*].id}", "[1,2]"),
        ("${var.rows.*.id}", "[1,2]"),
        ("${var.rows[*][\"id\"]}", "[1,2]"),
        ("${var.rows.*.id[1]}", "2"),
        ("${var.none[*]}", "[]"),
        ("${var.name[*]}", r#"["data"]"#),
        ("${var.tags[*].team}", r#"["ops"]"#),
        ("${[{ a = [1, 2] }][0].a[1]}", "2"),
        ("${(var.tags).team}", r#""ops""#),
        ("${merge(var.tags, { a = 1 }).a}", "1"),
        ("${s3.bucket.data.arn}", r#""arn:aws:s3:::data""#),
        ("${s3.bucket.data[\"arn\"]}", r#""arn:aws:s3:::data""#),
        ("${s3.bucket.data.tags.a}", r#""b""#),
        ("${logs.group.this[\"a\"].arn}", r#""arn:a""#),
        ("${logs.group.this.b.arn}", r#""arn:b""#),
        ("${logs.group.this[*].arn}", r#"["arn:a","arn:b"]"#),
        ("${[for k, g in logs.group.this : \"${k}=${g.arn}\"]}", r#"["a=arn:a","b=arn:b"]"#),
        ("${[for k in [\"b\", \"a\"] : logs.group.this[k].arn]}", r#"["arn:b","arn:a"]"#),
        ("${{ \"1\" = 2 }[1]}", "2"),
    ]);
    let reference = evaluate("${s3.bucket.data}", &names()).unwrap();
    assert_eq!(reference, Value::Reference(Address::root("s3.bucket", "data")));
}

#[test]
fn operators() {
    check(&[
        ("${1 + 2 * 3 - 4 / 2}", "5"),
        ("${7 / 2}", "3.5"),
        ("${-var.count}", "-3"),
        ("${!var.on}", "false"),
        ("${!false == true}", "true"),
        ("${1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3}", "true"),
        ("${1 == 1.0 && \"1\" != 1 && null == null}", "true"),
        ("${[1, 2] == [1, 2.0] && { a = 1 } != { a = 2 }}", "true"),
        ("${false && 1 / 0 == 1}", "false"),
        ("${true || 1 / 0 == 1}", "true"),
        ("${var.on ? \"a\" : 1 / 0}", r#""a""#),
        ("${false ? 1 : true ? 2 : 3}", "2"),
        ("${var.on?[1]:[2]}", "[1]"),
        ("${s3.bucket.data == s3.bucket.data}", "true"),
        ("${max([1, 5, 3]...)}", "5"),
        ("${max(9, [1, 5]...)}", "9"),
        ("${try(var.tags.nope, var.none.x, \"d\")}", r#""d""#),
        ("${[can(1 / 0), can(1)]}", "[false,true]"),
    ]);
}

#[test]
fn errors_say_what_and_where() {
    let cases: &[(&str, &str, usize, &str)] = &[
        ("${1/0}", ARITHMETIC, 3, "division by zero"),
        ("ab ${1 + (2 % 0)}", ARITHMETIC, 10, "division by zero"),
        ("${9223372036854775807 + 1}", ARITHMETIC, 3, "the result does not fit into 64 bits"),
        ("${9223372036854775808}", ARITHMETIC, 3, "this number does not fit into 64 bits"),
        ("é${", SYNTAX, 2, "this `${` is not closed"),
        ("${var.}", SYNTAX, 6, "the expression is not complete"),
        ("${1 +}", SYNTAX, 5, "the expression is not complete"),
        ("${1 2}", SYNTAX, 5, "unexpected `2`"),
        ("${a = 1}", SYNTAX, 5, "unexpected `=`"),
        ("${{ a = 1, a = 2 }}", SYNTAX, 12, "this key is there twice"),
        ("${\"x${1 +}\"}", SYNTAX, 9, "the expression is not complete"),
        ("${uper(\"a\")}", UNKNOWN_FUNCTION, 3, "there is no function `uper`"),
        ("${a::b(1)}", UNKNOWN_FUNCTION, 3, "there are no functions with `::` in their name"),
        ("${upper()}", KIND, 3, "`upper` was given no argument"),
        ("${upper(1, 2)}", KIND, 3, "`upper` was given 2 arguments"),
        ("${upper([1, 2]...)}", KIND, 3, "`upper` was given 2 arguments"),
        ("${upper(\"a\", [1])}", KIND, 3, "`upper` was given 2 arguments"),
        ("${try([1]...)}", SYNTAX, 3, "`try` takes no `...`"),
        ("${join(\",\", var.name)}", KIND, 13, "`join` takes a list as `lists`, not a string"),
        ("${\"a\" + 1}", KIND, 3, "`+` takes numbers, not a string"),
        ("${1 < \"a\"}", KIND, 3, "`<` takes numbers, not a string"),
        ("${1 && true}", KIND, 3, "`&&` takes bools, not a number"),
        ("${var.name ? 1 : 2}", KIND, 3, "a condition must be a bool, not a string"),
        ("a${var.list}", KIND, 4, "a list cannot be part of a string"),
        ("a${var.none}", KIND, 4, "null cannot be part of a string"),
        ("a${s3.bucket.data}", KIND, 4, "a resource cannot be part of a string"),
        ("${var.tags.tema}", MISSING, 11, "there is no `tema`; did you mean `team`?"),
        ("${var.list[3]}", MISSING, 11, "there is no element 3: the last of the list is 2"),
        ("${var.list[-1]}", MISSING, 12, "an index counts from 0"),
        ("${var.list.x}", MISSING, 11, "a list has elements, not keys"),
        ("${var.none.x}", KIND, 11, "there is nothing inside null"),
        ("${var.nope}", MISSING, 3, "no such variable"),
        ("${s3.bucket.data.nope}", MISSING, 17, "no nope of s3.bucket.data"),
        ("${[for v in 1 : v]}", KIND, 13, "`for` goes over a list or a map, not a number"),
        ("${{for v in [1, 1] : v => v}}", MISSING, 3, "two entries have the key `1`"),
        ("${{ (var.name) = 1, data = 2 }}", MISSING, 21, "two entries have the key `data`"),
        ("${{ (var.list) = 1 }}", KIND, 5, "a key must be a string, not a list"),
        ("${tonumber(\"x\")}", REFUSED, 12, "`x` is not a number"),
        (
            "${jsonencode(s3.bucket.data)}",
            REFUSED,
            14,
            "a resource cannot be written as JSON; say which of its attributes is meant, such as `.arn`",
        ),
        ("${range(1000000)}", LIMIT, 3, "this makes more than 100,000 values"),
        ("${format(\"%999999d\", 1)}", REFUSED, 10, "a width or precision is at most 1000"),
    ];
    for (text, code, column, message) in cases {
        assert_eq!(error(text, &names()), (*code, *column, (*message).to_owned()), "{text}");
    }
}

#[test]
fn every_part_of_a_string_reports_its_error() {
    let found = evaluate("${1/0} ${nope.x} ${1}", &names()).unwrap_err();
    assert_eq!(found.0.iter().map(|found| found.code).collect::<Vec<_>>(), [ARITHMETIC, MISSING]);
    let text = "${uper(1)} ${lowr(nope(1))}";
    assert_eq!(Template::parse(text, &literal_origin(text)).unwrap_err().0.len(), 3);
}

#[test]
fn references_are_found_before_evaluation() {
    let text = "${var.a}-${upper(logs.group.this[each.key].arn)}-${[for v in x.y[0][\"k\"] : v.z + var.b[*].c]}";
    let template = Template::parse(text, &literal_origin(text)).unwrap();
    let found: Vec<String> = template
        .references()
        .iter()
        .map(|traversal| {
            let steps = crate::address::Path(traversal.steps());
            let span = traversal.span.as_ref().unwrap();
            format!("{steps} of {}", &span.file.text[span.start..span.end])
        })
        .collect();
    assert_eq!(
        found,
        [
            "var.a of var.a",
            "logs.group.this of logs.group.this[each.key].arn",
            "each.key of each.key",
            "x.y[0].k of x.y[0][\"k\"]",
            "var.b of var.b[*].c",
        ]
    );
    assert_eq!(template.references()[3].segments.len(), 4);
    assert_eq!(template.references()[0].steps()[0], Step::Key("var".into()));
    assert!(!template.is_literal());
    assert_eq!(Template::parse("a $${b}", &literal_origin("a $${b}")).unwrap().literal(), Some("a ${b}"));
}

#[test]
fn every_function_does_what_its_example_says() {
    for function in functions::all() {
        let example = format!("${{{}}}", function.example);
        let result = format!("${{{}}}", function.result);
        assert_eq!(json(&example), json(&result), "{}", function.example);
        assert!(function.example.contains(&format!("{}(", function.name())), "{}", function.name());
    }
}

#[test]
fn the_registry_is_consistent() {
    let all: Vec<&Function> = functions::all().collect();
    for (at, function) in all.iter().enumerate() {
        let name = function.name();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{name}");
        assert!(all[..at].iter().all(|other| other.name() != name), "{name} is there twice");
        assert!(function.signature.ends_with(')') && function.doc.ends_with('.'), "{name}");
        assert_eq!(functions::find(name).map(|found| found.signature), Some(function.signature));
        assert!(function.most().is_none_or(|most| most >= function.least()), "{name}");
    }
}

#[test]
fn functions_at_their_edges() {
    check(&[
        ("${range(3, 0)}", "[3,2,1]"),
        ("${range(0, 10, 3)}", "[0,3,6,9]"),
        ("${range(0, 10, -1)}", "[]"),
        ("${range(9223372036854775800, 9223372036854775807, 5)}", "[9223372036854775800,9223372036854775805]"),
        ("${pow(-1, 9223372036854775807)}", "-1"),
        ("${pow(2, -1)}", "0.5"),
        ("${pow(0, 0)}", "1"),
        ("${element([1, 2, 3], -1)}", "3"),
        ("${split(\"\", \"aé\")}", r#"["a","é"]"#),
        (
            "${format(\"%5s|%-5s|%05.1f|%+d|%x|%q|%v|%%\", \"a\", \"b\", -2.25, 3, 255, \"q\", [1])}",
            r#""    a|b    |-02.2|+3|ff|\"q\"|[1]|%""#,
        ),
        ("${regex(\"a(b)?c\", \"ac\")}", "[null]"),
        ("${distinct([1, \"1\", 1.0, [1], [1.0]])}", r#"[1,"1",[1]]"#),
        ("${jsondecode(\"1e2\")}", "100.0"),
        ("${setproduct([], [1])}", "[]"),
        ("${lookup({ a = null }, \"a\", 1)}", "null"),
        ("${title(\"o'neil's café\")}", r#""O'neil's Café""#),
        ("${tonumber(\"1e3\")}", "1000"),
    ]);
    for text in
        ["${tonumber(\"inf\")}", "${tonumber(\"nan\")}", "${regex(\"(\", \"a\")}", "${log(0, 2)}", "${log(1, 1)}"]
    {
        assert!(evaluate(text, &names()).is_err(), "{text}");
    }
}

#[test]
fn work_is_bounded() {
    let forty = "[for a in r : ".repeat(4);
    let cases = [
        format!("${{{forty}a{}}}", "]".repeat(4)),
        "${[for a in r : [for b in r : \"x${a}\"]]}".to_owned(),
        "${[for a in r : t]}".to_owned(),
        "${join(t, [for a in r : a])}".to_owned(),
        "${replace(t, \"\", t)}".to_owned(),
        "${setproduct([t], r, r)}".to_owned(),
        "${transpose({ (t) = r })}".to_owned(),
        "${try([for a in r : [for b in r : [for c in r : c]]], 1)}".to_owned(),
        "${regexall(\"[^y]*y|x\", t)}".to_owned(),
        "${regexreplace(\"[^y]*y|x\", t, \"\")}".to_owned(),
        "${[for i in range(1000) : regexall(\"((x|xx|xxx)*){9}y\", t)]}".to_owned(),
        "${regex(\"(((a{9}){9}){9}){9}\", t)}".to_owned(),
        "${jsondecode(\"[${join(\",\", [for a in r : \"[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]\"])}]\")}".to_owned(),
    ];
    let names = Names::of([
        ("r", Value::List((0..9_000).map(Value::Integer).collect())),
        ("t", Value::from("x".repeat(50_000))),
    ]);
    for text in cases {
        let code = error(&text, &names).0;
        assert!(code == LIMIT || code == REFUSED, "{text}: {code}");
    }
    let deep = (0..60).fold("1".to_owned(), |inner, _| format!("[{inner}]"));
    let names = Names::of([("d", evaluate(&format!("${{{deep}}}"), &Names::default()).unwrap())]);
    assert_eq!(error("${[[[[[[d]]]]]]}", &names).0, LIMIT);
}

#[test]
fn deep_expressions_are_refused_or_fit_the_stack() {
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{a=", "1", "}"),
        ("!", "true", ""),
        ("-", "x", ""),
        ("true ? ", "1", " : 2"),
        ("false ? 1 : ", "2", ""),
        ("1 + ", "1", ""),
        ("x.", "y", ""),
        ("x[", "0", "]"),
        ("upper(", "\"a\"", ")"),
        ("\"a${", "1", "}\""),
        ("[for v in [1] : ", "v", "]"),
        ("(1 + 1 + ", "1", ")"),
        ("!(true && !", "true", ")"),
    ] {
        for depth in [10, 30, 60, 120, 10_000] {
            let text = format!("${{{}{inner}{}}}", open.repeat(depth), close.repeat(depth));
            let _ = evaluate(&text, &Names::of([("x", Value::Integer(1))]));
        }
    }
    // The deepest mix that is let through: each level of brackets with a chain of operators in it.
    let mut text = "1".to_owned();
    for _ in 0..30 {
        text = format!("\"${{1 + 1 + 1 + 1 + {text}}}\"");
    }
    let _ = evaluate(&format!("${{{text}}}"), &Names::default());
}

#[test]
fn hostile_texts_are_parsed_or_refused() {
    // Without bounds, these take minutes or the stack.
    let keys = |count: usize| (0..count).map(|at| format!("k{at} = 1,")).collect::<String>();
    let cases = [
        format!("{{ {} }}", keys(1_900)),
        format!("[{}]", "1,".repeat(30_000)),
        format!("x{}", ".a".repeat(30_000)),
        format!("x{}", "[*]".repeat(20_000)),
        format!("x{}", "[0]".repeat(20_000)),
        "!".repeat(60_000),
        "-".repeat(60_000),
        "1+".repeat(30_000),
        "a?".repeat(30_000),
        "(".repeat(63) + &" ".repeat(60_000),
        format!("{}1{}", format!("({}", " ".repeat(900)).repeat(60), ")".repeat(60)),
        format!("f({})", "\"${x}\",".repeat(10_000)),
        format!("{}x{}", "\"${".repeat(30), "}\"".repeat(30)),
        "/**/".repeat(16_000),
        "# \n".repeat(20_000),
        "a".repeat(65_000),
        "for ".repeat(16_000),
        "[for".repeat(60),
        "\"\\n".repeat(20_000),
        format!("{}(1)", "a".repeat(60_000)),
        format!("{{{}}}", "\n".repeat(1_999)),
        format!("{} = 1{}", "{ a = 1, b".repeat(60), "}".repeat(60)),
    ];
    for inside in cases {
        let text = format!("${{{inside}}}");
        let _ = Template::parse(&text, &literal_origin(&text));
    }
}

#[test]
fn one_result_too_large_does_not_fail_the_others() {
    let budget = Budget::default();
    let evaluate =
        |text: &str| Template::parse(text, &literal_origin(text)).unwrap().evaluate(&Names::default(), &budget);
    assert!(evaluate("${try(range(1000000), 1)}").is_err());
    assert_eq!(evaluate("${1 + 1}").unwrap(), Value::Integer(2));
}

#[test]
fn a_spent_budget_stays_spent() {
    let template = Template::parse("${1 + 1}", &literal_origin("${1 + 1}")).unwrap();
    let budget = Budget::of_steps(4);
    assert!(template.evaluate(&Names::default(), &budget).is_ok());
    for _ in 0..2 {
        assert_eq!(template.evaluate(&Names::default(), &budget).unwrap_err().0[0].code, LIMIT);
    }
}

#[test]
fn what_is_typed_is_an_expression_or_a_text_with_some() {
    let file = |text: &str| Arc::new(SourceFile { name: "typed".into(), text: text.to_owned() });
    let typed = |text: &str| {
        Template::of_line(text, &Origin::of_file(file(text))).unwrap().evaluate(&names(), &Budget::default())
    };
    let number = Ok(Value::Integer(4));
    for text in ["var.count + 1", " ${var.count + 1}", "${var.count + 1 # more\n}", "(var.count\n+ 1) # more"] {
        assert_eq!(typed(text.trim()), number, "{text}");
    }
    assert_eq!(typed("${var.count}${var.count}"), Ok("33".into()));
    assert_eq!(typed("\"${var.count}\""), Ok(Value::Integer(3)));
    assert_eq!(typed("${aws:username}"), Ok("${aws:username}".into()));
    for (text, place, message) in [
        ("var.count +", 11, "the expression is not complete"),
        ("1 } ${2", 2, "this `}` closes nothing"),
        ("aws:username", 3, "unexpected `:`"),
        ("[1", 0, "this `[` is not closed"),
        ("f(\"x", 2, "this string is not closed"),
    ] {
        let found = Template::of_line(text, &Origin::of_file(file(text))).unwrap_err();
        assert_eq!((found.0[0].span.as_ref().unwrap().start, found.0[0].message.as_str()), (place, message), "{text}");
    }
}

#[test]
fn what_is_typed_goes_on_while_something_is_open() {
    for text in ["[1,", "{ a = 1", "upper(", "\"abc", "1 + /* more", "${var.x", "${[1", "[for x in [1] : x"] {
        assert!(Template::goes_on(text), "{text}");
    }
    for text in ["", "1 +", "[1]", "${var.x}", "1 # [", "\"(\"", "(1]", "1)"] {
        assert!(!Template::goes_on(text), "{text}");
    }
}
