//! Functions at their edges, and with arguments of any kind.

use proptest::prelude::*;

use super::scope::{Names, error, evaluate, unknown};
use crate::address::Address;
use crate::expression::functions::all;
use crate::expression::{LIMIT, REFUSED, UNKNOWN_FUNCTION, settle};
use crate::value::{Secret, Value};

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        match evaluate(&format!("${{{text}}}"), &Names::default()) {
            Ok(value) => assert_eq!(&value.to_json().unwrap().to_string(), expected, "{text}"),
            Err(found) => panic!("{text}: {}", found.0[0]),
        }
    }
}

#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let (code, _, said) = error(&format!("${{{text}}}"), &Names::default());
        assert_eq!((code, said.as_str()), (REFUSED, *message), "{text}");
    }
}

#[test]
fn networks() {
    check(&[
        ("cidrsubnet(\"10.1.2.3/8\", 8, 255)", r#""10.255.0.0/16""#),
        ("cidrsubnet(\"fd00:1::/48\", 16, 162)", r#""fd00:1:0:a2::/64""#),
        ("cidrsubnet(\"0.0.0.0/0\", 32, 4294967295)", r#""255.255.255.255/32""#),
        ("cidrsubnet(\"::/0\", 128, 1)", r#""::1/128""#),
        ("cidrsubnet(\"10.0.0.0/32\", 0, 0)", r#""10.0.0.0/32""#),
        ("cidrsubnets(\"10.1.0.0/16\", 4, 4, 8, 4)", r#"["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]"#),
        ("cidrsubnets(\"fd00::/56\", 8, 0 + 1)", r#"["fd00::/64","fd00:0:0:80::/57"]"#),
        ("cidrsubnets(\"::/0\", 0)", r#"["::/0"]"#),
        ("cidrsubnets(\"10.0.0.0/8\")", "[]"),
        ("cidrhost(\"10.12.127.0/20\", 16)", r#""10.12.112.16""#),
        ("cidrhost(\"10.12.127.0/20\", -1)", r#""10.12.127.255""#),
        ("cidrhost(\"fd00:fd12:3456:7890::/72\", 34)", r#""fd00:fd12:3456:7890::22""#),
        ("cidrhost(\"::/0\", -1)", r#""ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff""#),
        ("cidrhost(\"10.0.0.1/32\", 0)", r#""10.0.0.1""#),
        ("cidrnetmask(\"172.16.0.0/12\")", r#""255.240.0.0""#),
        ("cidrcontains(\"10.0.0.0/8\", \"10.2.3.4\")", "true"),
        ("cidrcontains(\"10.0.0.0/24\", \"10.0.0.0/16\")", "false"),
        ("cidrcontains(\"10.0.0.0/8\", \"::1\")", "false"),
    ]);
    refused(&[
        ("cidrsubnet(\"10.0.0.0/16\", 17, 0)", "a prefix of 16 bits cannot get 17 more: an address has 32"),
        ("cidrsubnet(\"10.0.0.0/16\", 4, 16)", "there is no network 16: 4 bits number from 0 to 15"),
        ("cidrsubnet(\"10.0.0.0\", 4, 16)", "`10.0.0.0` is no network such as 10.0.0.0/16 or 2001:db8::/32"),
        ("cidrsubnets(\"10.0.0.0/30\", 1, 1, 1)", "there is no room left in the prefix"),
        ("cidrsubnets(\"::/0\", 0, 1)", "there is no room left in the prefix"),
        ("cidrsubnets(\"::/0\", 1, 1, 1)", "there is no room left in the prefix"),
        ("cidrhost(\"10.0.0.0/24\", 256)", "a prefix of 24 bits has no such address"),
        ("cidrhost(\"10.0.0.0/24\", -257)", "a prefix of 24 bits has no such address"),
        ("cidrhost(\"10.0.0.0/24\", -9223372036854775808)", "a prefix of 24 bits has no such address"),
        ("cidrnetmask(\"::/0\")", "IPv6 networks have no netmask"),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("formatdate(\"YYYY-MM-DD\", \"2018-01-02T23:12:01Z\")", r#""2018-01-02""#),
        (
            "formatdate(\"EEEE, DD-MMM-YY hh:mm:ss ZZZ\", \"2018-01-02T23:12:01Z\")",
            r#""Tuesday, 02-Jan-18 23:12:01 UTC""#,
        ),
        (
            "formatdate(\"MMMM D, YYYY H:m AA aa ZZZZZ ZZZZ Z\", \"2018-01-02T00:05:09-08:00\")",
            r#""January 2, 2018 12:5 AM am -08:00 -0800 -08:00""#,
        ),
        ("formatdate(\"'o''clock' HH s\", \"2018-01-02T13:05:09.75Z\")", r#""o'clock 01 9""#),
        ("timeadd(\"2017-11-22T00:00:00Z\", \"10m\")", r#""2017-11-22T00:10:00Z""#),
        ("timeadd(\"2024-02-28T12:00:00+01:00\", \"36h30m15s\")", r#""2024-03-01T00:30:15+01:00""#),
        ("timeadd(\"2024-01-01T00:00:00Z\", \"-1.5h\")", r#""2023-12-31T22:30:00Z""#),
        ("timeadd(\"2024-01-01T00:00:00Z\", \"0\")", r#""2024-01-01T00:00:00Z""#),
        ("timecmp(\"2017-11-22T00:00:00Z\", \"2017-11-22T01:00:00+01:00\")", "0"),
        ("timecmp(\"2017-11-22T00:00:00Z\", \"2017-11-22T00:00:01Z\")", "-1"),
    ]);
    refused(&[
        (
            "formatdate(\"YYY\", \"2018-01-02T23:12:01Z\")",
            "the pattern has no `YYY`; a word of the text itself stands between single quotes",
        ),
        ("formatdate(\"'x\", \"2018-01-02T23:12:01Z\")", "a quote in the pattern is not closed"),
        (
            "formatdate(\"D\", \"2018-02-30T00:00:00Z\")",
            "`2018-02-30T00:00:00Z` is no time such as 2025-03-09T07:05:00Z",
        ),
        ("timeadd(\"2018-01-02T23:12:01Z\", \"3 days\")", "`3 days` is no duration such as 72h, 1h30m or -10m"),
        ("timeadd(\"2018-01-02T23:12:01Z\", \"\")", "`` is no duration such as 72h, 1h30m or -10m"),
        ("timeadd(\"2018-01-02T23:12:01Z\", \"1\")", "`1` is no duration such as 72h, 1h30m or -10m"),
        ("timeadd(\"9999-12-31T23:59:59Z\", \"1s\")", "the years go from 0 to 9999"),
        (
            "timeadd(\"2018-01-02T23:12:01Z\", \"999999999999999999h\")",
            "`999999999999999999h` is no duration such as 72h, 1h30m or -10m",
        ),
    ]);
}

#[test]
fn yaml() {
    let names = |text: &str| Names::of([("y", Value::from(text))]);
    for (text, expected) in [
        ("", "null"),
        ("a: 1\nb:\n  - x\n  - {c: ~, d: 'no'}\n", r#"{"a":1,"b":["x",{"c":null,"d":"no"}]}"#),
        (
            "[0x1F, 0o17, -12, +3, 1.5, 1e3, 1_000, 0777, 12e, '1', .5]",
            r#"[31,15,-12,3,1.5,1000,"1_000",777,"12e","1",0.5]"#,
        ),
        ("[true, True, yes, on, null, Null, nil]", r#"[true,true,"yes","on",null,null,"nil"]"#),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", r#"{"a":"x\ny\n","b":"x y"}"#),
        ("base: &b {a: 1, b: 2}\nx:\n  <<: *b\n  b: 3\n", r#"{"base":{"a":1,"b":2},"x":{"a":1,"b":3}}"#),
        ("x:\n  b: 3\n  <<: [{b: 4, c: 5}, {c: 6, d: 7}]\n", r#"{"x":{"b":3,"c":5,"d":7}}"#),
        ("[&a x, *a, &b [1], *b]", r#"["x","x",[1],[1]]"#),
        ("[!!str 1, !!float 1, !!int '2', ! 3]", r#"["1",1,2,"3"]"#),
        ("1: a\ntrue: b\n", r#"{"1":"a","true":"b"}"#),
        ("---\na: 1\n...\n", r#"{"a":1}"#),
        ("# only a comment\n", "null"),
        ("12345678901234567890", "1.2345678901234567e+19"),
    ] {
        let value = evaluate("${yamldecode(y)}", &names(text));
        let value = value.unwrap_or_else(|found| panic!("{text}: {}", found.0[0]));
        assert_eq!(value.to_json().unwrap().to_string(), expected, "{text}");
    }
    for (text, message) in [
        ("a: 1\na: 2\n", "line 2: the key `a` is there twice"),
        ("a: !Ref b\n", "line 1: the tag `!Ref` means nothing here"),
        ("a\n---\nb\n", "the text has more than one document; decode each part of it"),
        ("[a, .inf]", "line 1: `.inf` is no number here"),
        ("? [a]\n: b\n", "line 1: a key must be a text, not a list or map"),
        ("!!int x", "line 1: `x` is no int"),
        ("x:\n  <<: 3\n", "line 2: `<<` takes a map, or a list of maps"),
    ] {
        assert_eq!(error("${yamldecode(y)}", &names(text)), (REFUSED, 14, message.to_owned()), "{text}");
    }
    for text in ["[a", "a: b: c", "&a [*a]", "*a", "\"", "a:\n\t- b", "%", "{a: 1", "- a\nb"] {
        let (code, _, message) = error("${yamldecode(y)}", &names(text));
        assert_eq!(code, REFUSED, "{text}: {message}");
    }
}

#[test]
fn hostile_yaml_is_refused_soon() {
    let laughs = |lists: usize| {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in 1..lists {
            text += &format!("a{at}: &a{at} [{}]\n", format!("*a{},", at - 1).repeat(9));
        }
        text
    };
    let merges = "&a {a: 1, b: 2}\n".to_owned() + &"<<: *a\n".repeat(1_000);
    let wide = format!("&a [{}]", "x,".repeat(50_000));
    for text in [
        laughs(12),
        merges,
        "[".repeat(200_000),
        "{".repeat(200_000),
        "{a: ".repeat(50_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "&a ".repeat(50_000),
        "!".repeat(200_000),
        "a: ".repeat(50_000),
        "\n".repeat(250_000),
        " ".repeat(250_000),
        "'".repeat(250_001),
        "\"\\".repeat(100_000),
        "#".repeat(250_000),
        format!("[{}]", "[],".repeat(80_000)),
        format!("[{wide}, *a, *a, *a]"),
        (0..40).fold("x".to_owned(), |inner, at| format!("&a{at} [{inner}, {}]", "x,".repeat(900))),
        "- - - a\n".repeat(20_000),
        format!("{}\n", (0..60).map(|at| " ".repeat(at) + "a:\n").collect::<String>()).repeat(50),
        "x".repeat(300_000),
        "a\n".repeat(100_000),
        "? a\n".repeat(60_000),
        "---\n".repeat(60_000),
        (10_000..40_000).rev().map(|at| format!("{at}:\n")).collect(),
    ] {
        let began = text.get(..20).unwrap_or(&text).to_owned();
        if let Err(found) = evaluate("${length(yamldecode(y))}", &Names::of([("y", Value::from(text))])) {
            let code = found.0[0].code;
            assert!(matches!(code, LIMIT | REFUSED | "S3S-E03"), "{began}: {code}");
        }
    }
}

#[test]
fn csv() {
    let read = |text: &str| evaluate("${csvdecode(t)}", &Names::of([("t", Value::from(text))]));
    for (text, expected) in [
        ("a,b\r\n1,\"x\"\"y,\nz\"\r\n", r#"[{"a":"1","b":"x\"y,\nz"}]"#),
        ("a,b\n,\n\n3,4", r#"[{"a":"","b":""},{"a":"3","b":"4"}]"#),
        ("a", "[]"),
        ("a\n\"\"\nx\n", r#"[{"a":"x"}]"#),
    ] {
        assert_eq!(read(text).unwrap().to_json().unwrap().to_string(), expected, "{text}");
    }
    for (text, message) in [
        ("", "there is no line with the keys"),
        ("a,a\n", "the key `a` is there twice"),
        ("a,b\n1\n", "row 2 has 1 values, and the first has 2"),
        ("a\n\"x", "a value in quotes does not end"),
        ("a\n\"x\"y", "something follows the quotes round a value"),
    ] {
        assert_eq!(read(text).unwrap_err().0[0].message, message, "{text}");
    }
}

#[test]
fn texts_and_paths() {
    check(&[
        ("formatlist(\"%s=%d\", [\"a\", \"b\"], [1, 2])", r#"["a=1","b=2"]"#),
        ("formatlist(\"%s\", [])", "[]"),
        ("formatlist(\"x\")", r#"["x"]"#),
        ("strrev(\"aé🙂\")", r#""🙂éa""#),
        ("[basename(\"a/b/\"), basename(\"/\"), basename(\"a\"), basename(\"\")]", r#"["b","","a",""]"#),
        ("[dirname(\"a/b/\"), dirname(\"/a\"), dirname(\"a\"), dirname(\"/\")]", r#"["a","/",".","/"]"#),
        ("urldecode(\"a+b%zz\")", r#""a+b%zz""#),
    ]);
    refused(&[
        ("formatlist(\"%s%s\", [1, 2], [1])", "the lists are not of one length"),
        ("urldecode(\"%ff\")", "the bytes are not UTF-8"),
    ]);
}

#[test]
fn what_is_left_out_on_purpose_says_what_to_do_instead() {
    for (name, part) in [
        ("timestamp", "there is no clock"),
        ("plantimestamp", "there is no clock"),
        ("uuid", "there is no randomness"),
        ("bcrypt", "there is no randomness"),
        ("md5", "sha256(…)"),
        ("fileset", "glob("),
        ("yamlencode", "jsonencode(…)"),
        ("list", "[a, b]"),
        ("uper", "did you mean `upper`?"),
    ] {
        let found = evaluate(&format!("${{{name}(1)}}"), &Names::default()).unwrap_err();
        assert_eq!(found.0[0].code, UNKNOWN_FUNCTION);
        let help = found.0[0].help.clone().unwrap();
        assert!(help.contains(part), "{name}: {help}");
    }
}

fn resource() -> Address {
    Address::root("kms.key", "main")
}

/// Texts that mean something to some function.
const TEXTS: &[&str] = &[
    "",
    "a",
    "é🙂",
    "hunter2",
    "a,b\n1,2\n",
    "a: &x [1]\nb: *x\n",
    "{\"a\":[1]}",
    "SGVsbG8=",
    "%41%zz",
    "10.0.0.0/8",
    "::/0",
    "fd00::1/64",
    "10.1.2.3",
    "2024-02-29T23:59:60Z",
    "2024-01-01T00:00:00+05:30",
    "1h30m",
    "-9999999h",
    "YYYY'x'",
    "%05d%s%q%%",
    "%-3.2f",
    "(a)|(?<b>b)",
    "[a-",
    "$1",
    "hello.txt",
    "greeting.tpl",
    "site",
    "../x",
    "**/*",
    "{a,b",
    "ff",
    "-1",
    "1e400",
    "true",
    "\n\r",
];

/// A value of any kind; `made` says what AWS made.
fn anything(made: &'static dyn Fn() -> Value) -> impl Strategy<Value = Value> {
    let text = prop_oneof![prop::sample::select(TEXTS).prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
    let number = prop_oneof![
        prop::sample::select(&[0, 1, -1, 2, 8, 16, 32, 64, 128, 1_000_000, i64::MAX, i64::MIN][..])
            .prop_map(Value::Integer),
        prop::sample::select(&[0.5, -2.25, 1e15, 1e300, -1e300, 5e-324][..]).prop_map(Value::Float),
    ];
    let leaf = prop_oneof![
        6 => text,
        3 => number,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Reference(resource())),
        1 => Just(()).prop_map(move |()| made()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((prop::sample::select(&["a", "b", "name"][..]), inner.clone()), 0..4)
                .prop_map(Value::map),
            inner.prop_map(|value| Value::Secret(Secret::new(value))),
        ]
    })
}

fn waiting() -> Value {
    unknown(&resource(), "id", false)
}

/// The value with everything in it that AWS makes put in.
fn made(value: &Value) -> Value {
    settle(value.clone(), &|_, _| Some(Value::from("a"))).unwrap()
}

fn call(name: &str, count: usize, spread: bool) -> String {
    let arguments: Vec<String> = (0..count).map(|at| format!("v{at}")).collect();
    format!("${{{name}({}{})}}", arguments.join(", "), if spread && count > 0 { "..." } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Any function with any arguments has a value or an error, and once what AWS makes is known, the value that it would
    /// have had from the start.
    #[test]
    fn no_arguments_make_a_function_panic(values in prop::collection::vec(anything(&waiting), 5), spread in any::<bool>()) {
        let scope = |of: &dyn Fn(&Value) -> Value| {
            let names: Vec<String> = (0..values.len()).map(|at| format!("v{at}")).collect();
            Names::of(names.iter().map(String::as_str).zip(values.iter().map(of)))
        };
        for function in all() {
            let least = function.least();
            for count in least..=function.most().unwrap_or(least + 2).min(values.len()) {
                let text = call(function.name(), count, spread && function.spreads());
                let planned = evaluate(&text, &scope(&Value::clone));
                let from_start = evaluate(&text, &scope(&made));
                if let (Ok(planned), Ok(from_start)) = (planned, from_start) {
                    let settled = settle(planned, &|_, _| Some(Value::from("a")));
                    prop_assert_eq!(settled, Ok(from_start), "{} of {:?}", text, values);
                }
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(
        yaml in "[-\\[\\]{}:,&*!|>?'\"#%@`ab1~. \n\t<é]{0,60}",
        csv in "[\",\r\na]{0,30}",
        date in "[0-9:TZ+.-]{0,30}",
        pattern in "[YMDEhHmsAaZ':x]{0,12}",
        network in "[0-9a-f:./]{0,20}",
        glob in "[a*?\\[\\]{},/!\\\\.^-]{0,20}",
        template in "[${}%~ifor\"a.()\n]{0,30}",
    ) {
        let mut names = Names::of([
            ("yaml", Value::from(yaml)), ("csv", csv.into()), ("date", date.into()), ("pattern", pattern.into()),
            ("network", network.into()), ("glob", glob.into()),
        ]);
        names.files.0.insert("t".into(), template.into_bytes());
        for text in [
            "yamldecode(yaml)", "csvdecode(csv)", "timeadd(date, \"1h\")", "formatdate(pattern, \"2024-01-01T00:00:00Z\")",
            "timeadd(\"2024-01-01T00:00:00Z\", date)", "cidrhost(network, 1)", "cidrsubnets(network, 1, 2)", "glob(glob)",
            "templatefile(\"t\", { a = 1 })", "cidrcontains(network, network)",
        ] {
            let _ = evaluate(&format!("${{{text}}}"), &names);
        }
    }
}
