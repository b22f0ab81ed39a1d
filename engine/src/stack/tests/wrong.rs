//! What is said of files that are wrong. Line numbers count the `stack.name` line that every case begins with.

use insta::assert_snapshot;

use super::said;

#[test]
fn syntax_is_told_with_place_and_next_step() {
    // An unclosed header.
    assert_snapshot!(said("[s3.bucket.a\nname = \"x\"\n"), @r#"error[S3S-P1]: unclosed table at stack.toml:2:13; end the header with `]`"#);
    // A text without quotes.
    assert_snapshot!(said("[s3.bucket.a]\nname = hello\n"), @r#"error[S3S-P1]: `hello` is no value: a text must be quoted at stack.toml:3:8 in s3.bucket.a name; put quotes round it: "hello""#);
    // A key without value.
    assert_snapshot!(said("[s3.bucket.a]\nname\n"), @r#"error[S3S-P1]: key with no value at stack.toml:3:5; write `key = value`"#);
    // All slips at once.
    assert_snapshot!(said("[s3.bucket.a]\nname = \nversioning = tru\ntags = { a = 1\n[s3.bucket.b\n"), @"
    error[S3S-P1]: a value is missing at stack.toml:3:8; write it after `=`
    error[S3S-P1]: `tru` is no value at stack.toml:4:14; did you mean `true`?
    error[S3S-P1]: this table is not closed at stack.toml:5:8; end the table with `}`
    ");
    // An unclosed string.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"x\nversioning = true\n"), @r#"error[S3S-P1]: the string is not closed at stack.toml:3:10 in s3.bucket.a name; end it with the quote it began with, on the same line"#);
    // A list without end.
    assert_snapshot!(said("[s3.bucket.a]\ntags = [1, 2\n"), @"error[S3S-P1]: this list is not closed at stack.toml:3:8; end the list with `]`");
    // A missing comma.
    assert_snapshot!(said("[sns.topic.a]\nsubscriptions = [1 2]\n"), @r#"error[S3S-P1]: string values must be quoted at stack.toml:3:18 in sns.topic.a subscriptions[0]; put quotes round the text, or `,` between two values"#);
    // A table twice.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"x\"\n\n[s3.bucket.a]\nversioning = true\n"), @r#"error[S3S-P3]: `[s3.bucket.a]` is already there, on line 2 at stack.toml:5:1; write its keys under one header"#);
    // A key twice.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"x\"\nname = \"y\"\n"), @r#"error[S3S-P3]: `name` is already there, on line 3 at stack.toml:4:1; take one of them out, or give one another name"#);
    // A dotted key into a header's table.
    assert_snapshot!(said("[s3.bucket.a.tags]\nx = \"1\"\n[s3.bucket.a]\ntags.y = \"2\"\n"), @r#"error[S3S-P3]: `tags` is already there, on line 2 at stack.toml:5:1; write its keys under one header"#);
    // A table where a value is.
    assert_snapshot!(said("[s3.bucket.a]\ntags = { a = \"1\" }\n[s3.bucket.a.tags]\nb = \"2\"\n"), @r#"error[S3S-P3]: `tags` is already there, on line 3 at stack.toml:4:14; take one of them out, or give one another name"#);
    // A string of several lines without end.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"\"\"x\n"), @r#"error[S3S-P1]: the string is not closed at stack.toml:4:1; end it with the three quotes it began with"#);
    // A date.
    assert_snapshot!(said("[s3.bucket.a.tags]\nborn = 2026-11-23\n"), @r#"error[S3S-P4]: dates and times are not values of the stack language at stack.toml:3:8 in s3.bucket.a tags.born; write it as a string, in quotes"#);
    // Not a number.
    assert_snapshot!(said("[sqs.queue.a]\nretention = nan\n"), @r#"error[S3S-P4]: NaN, infinity and numbers beyond 64-bit floats are refused at stack.toml:3:13 in sqs.queue.a retention; write a finite number"#);
    // Infinity.
    assert_snapshot!(said("[sqs.queue.a]\nretention = -inf\n"), @r#"error[S3S-P4]: NaN, infinity and numbers beyond 64-bit floats are refused at stack.toml:3:13 in sqs.queue.a retention; write a finite number"#);
    // A float that is too large.
    assert_snapshot!(said("[sqs.queue.a]\nretention = 1e999\n"), @r#"error[S3S-P4]: NaN, infinity and numbers beyond 64-bit floats are refused at stack.toml:3:13 in sqs.queue.a retention; write a finite number"#);
    // An integer that is too large.
    assert_snapshot!(said("[sqs.queue.a]\nretention = 9223372036854775808\n"), @r#"error[S3S-P4]: the number does not fit into 64 bits at stack.toml:3:13 in sqs.queue.a retention; write it as a string, in quotes"#);
    // An expression that is not closed.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"${var.x\"\n"), @r#"error[S3S-E01]: this `${` is not closed at stack.toml:3:9 in s3.bucket.a name; close it with `}`, or write `$${` for the text `${`"#);
    // An unknown function.
    assert_snapshot!(said("[var]\nx = \"a\"\n[s3.bucket.a]\nname = \"${uper(var.x)}\"\n"), @r#"error[S3S-E02]: there is no function `uper` at stack.toml:5:11 in s3.bucket.a name; did you mean `upper`?"#);
    // A table array of blocks.
    assert_snapshot!(said("[[s3.bucket.a]]\nname = \"x\"\n"), @r#"error[S3S-P5]: a block is one table, and s3.bucket.a is a list at stack.toml:2:13; write [s3.bucket.a], with single brackets"#);
}

#[test]
fn habits_of_other_languages_are_told_with_the_next_step() {
    // Words that are values elsewhere. A value that is none hinders no further check.
    assert_snapshot!(said("[s3.bucket.a]\nname = null\nversioning = yes\nencryption = True\nowner = x\n"), @r#"
    error[S3S-P1]: `null` is no value at stack.toml:3:8 in s3.bucket.a name; leave the line out: what is not there is null
    error[S3S-P1]: `yes` is no value at stack.toml:4:14 in s3.bucket.a versioning; write `true`, or put quotes round the text
    error[S3S-P1]: `True` is no value at stack.toml:5:14 in s3.bucket.a encryption; did you mean `true`?
    error[S3S-W1]: there is no property `owner` here at stack.toml:6:1 in s3.bucket.a owner; it takes name, versioning, encryption, ownership, public_access_block, force_destroy, logging, lifecycle, tags
    error[S3S-P1]: `x` is no value: a text must be quoted at stack.toml:6:9 in s3.bucket.a owner; put quotes round it: "x"
    "#);
    // YAML.
    assert_snapshot!(said("[s3.bucket.a]\nversioning: true\n"), @r#"error[S3S-P1]: `:` does not stand between a key and its value at stack.toml:3:11; write `key = value`"#);
    // One mistake each, however often the parser stumbles.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"${upper(\"x\")}\"\ntags = { A = \"${join(\"-\", [])}\" }\n"), @r#"
    error[S3S-P1]: this text ends at the quote inside of its `${…}` at stack.toml:3:8; put the whole value into single quotes: '${upper("x")}'
    error[S3S-P1]: this text ends at the quote inside of its `${…}` at stack.toml:4:14; put the whole value into single quotes: '${upper("x")}'
    "#);
    assert_snapshot!(said("[iam.role.r]\ntrust =\n  - \"a\"\n  - \"b\"\n"), @r#"error[S3S-P1]: a list stands in brackets at stack.toml:4:5; write ["a", "b"]"#);
    assert_snapshot!(said("[iam.role.r]\ntrust = [\"a\"\npath = \"/\"\n[s3.bucket.a]\nversioning = true\n"), @"error[S3S-P1]: this list is not closed at stack.toml:3:9; end the list with `]`");
    // HCL.
    assert_snapshot!(said("resource \"aws_s3_bucket\" \"a\" {\n}\n"), @"error[S3S-P1]: a block has a header and no braces at stack.toml:2:10; write [service.type.name], such as [s3.bucket.data], and its keys below, each `key = value`");
    // Regular expressions and paths of Windows.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"a\\d\"\n"), @r#"error[S3S-P1]: `\d` is no escape sequence at stack.toml:3:11 in s3.bucket.a name; write `\\` for a backslash, or put the text into single quotes, where a backslash is one"#);
    // A blank that is none, as web pages have it.
    assert_snapshot!(said("[s3.bucket.a]\n\u{a0}name = \"x\"\n"), @r#"error[S3S-P1]: there is an invisible character here, U+00A0 at stack.toml:3:1; delete it: it often comes along with text that is copied from elsewhere"#);
    // A control character.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"a\u{1}\"\n"), @r#"error[S3S-P1]: a string cannot hold the control character U+0001 as it is at stack.toml:3:10 in s3.bucket.a name; take it out, or write it as \u0001 in double quotes"#);
    // What makes no sense as a line is told once.
    assert_snapshot!(said("root:x:0:0:root\n"), @r#"error[S3S-P1]: `:` does not stand between a key and its value at stack.toml:2:5; write `key = value`"#);
    // What Terraform calls otherwise.
    assert_snapshot!(said("[output]\na = \"${uuid()}\"\nd = \"${aws_s3_bucket.x.arn} ${local.y}\"\nb = '${fileset(\"x\", \"*\")}'\nc = \"${terraform.workspace}\"\n"), @r#"
    error[S3S-E02]: there is no function `uuid` at stack.toml:3:8; there is no randomness, so that the same files give the same plan: make the value once, and give it as a variable
    error[S3S-R1]: there is nothing named `aws_s3_bucket` at stack.toml:4:8; write s3.bucket.NAME
    error[S3S-R1]: there is nothing named `local` at stack.toml:4:31; write a value that is used more than once under [var], and `var.NAME` here
    error[S3S-E02]: there is no function `fileset` at stack.toml:5:8; it is called glob(pattern) here, and its paths begin at the stack's folder: glob("site/**")
    error[S3S-R1]: there is nothing named `terraform` at stack.toml:6:8; the environment's name is `env`
    "#);
    // A key of [stack] in a block.
    assert_snapshot!(said("[s3.bucket.a]\naccount_id = \"1\"\n"), @r#"error[S3S-P9]: `account_id` belongs to [stack] but stands in s3.bucket.a at stack.toml:3:1 in s3.bucket.a account_id; move it under [stack]"#);
}

#[test]
fn sections_are_told_with_place_and_next_step() {
    // An unknown section.
    assert_snapshot!(said("[outptu]\nx = 1\n"), @r#"error[S3S-P6]: there is no section and no service `outptu` at stack.toml:2:2; did you mean [output]?"#);
    // A word of other tools.
    assert_snapshot!(said("[variables]\nx = 1\n"), @r#"error[S3S-P6]: there is no section [variables] at stack.toml:2:2; it is called [var] here"#);
    // A key above every header.
    assert_snapshot!(said("region = \"us-east-1\"\n"), @r#"error[S3S-P5]: `region` stands above every header at stack.toml:2:1; write it under [stack]"#);
    // A section that is no table.
    assert_snapshot!(said("output = 3\n"), @r#"error[S3S-P5]: [output] must be a table, and is a number at stack.toml:2:1; write [output] and its keys below"#);
    // An unknown type.
    assert_snapshot!(said("[s3.bukcet.a]\n"), @r#"error[S3S-P6]: there is no resource type s3.bukcet at stack.toml:2:5; did you mean s3.bucket?"#);
    // An unknown service.
    assert_snapshot!(said("[dynamo.table.a]\n"), @r#"error[S3S-P6]: there is no section and no service `dynamo` at stack.toml:2:2; did you mean [dynamodb.table.…]?"#);
    // A service left out.
    assert_snapshot!(said("[bucket.a]\n"), @r#"error[S3S-P6]: there is no section and no service `bucket` at stack.toml:2:2; did you mean [s3.bucket.…]?"#);
    // A block without name.
    assert_snapshot!(said("[s3.bucket]\nversioning = true\n"), @r#"error[S3S-P5]: `versioning` stands in no block: [s3.bucket] has no name at stack.toml:3:1; write [s3.bucket.NAME] above it"#);
    // A type that is no table.
    assert_snapshot!(said("s3.bucket = 3\n"), @r#"error[S3S-P5]: s3.bucket must be a table of blocks at stack.toml:2:4; write [s3.bucket.NAME]"#);
    // A block that is no table.
    assert_snapshot!(said("[s3.bucket]\ndata = 3\n"), @r#"error[S3S-P5]: s3.bucket.data must be a table, and is a number at stack.toml:3:1; write [s3.bucket.data]"#);
    // A block's name with a hyphen.
    assert_snapshot!(said("[s3.bucket.my-Data]\n"), @r#"error[S3S-P12]: `my-Data` cannot be the name of a block: it must be lower-case letters, digits and `_`, a letter first at stack.toml:2:12; write `my_data`"#);
    // A variable's name in capitals.
    assert_snapshot!(said("[var]\nRegion = \"x\"\n"), @r#"error[S3S-P12]: `Region` cannot be the name of a variable: it must be lower-case letters, digits and `_`, a letter first at stack.toml:3:1; write `region`"#);
    // Things of later versions.
    assert_snapshot!(said("[module.core]\nsource = \"./core\"\n[lookup.s3.bucket.x]\n[remote.core]\n[account.audit]\n[s3.bucket.a]\nfor_each = [\"x\"]\nregion = \"us-east-1\"\naccount = \"audit\"\n"), @r#"
    error[S3S-P13]: there is no module in core at stack.toml:3:10; modules cannot be read here
    error[S3S-P8]: lookup.s3.bucket.x does not say what is looked for at stack.toml:4:1 in lookup.s3.bucket.x; write one of id, tags, name
    error[S3S-P8]: [remote.core] does not say which stack it is at stack.toml:5:1; write `path = "../core"`, the folder of the stack, or `key = "core"`, where its state is
    error[S3S-P8]: [account.audit] does not say how to get into the account at stack.toml:6:1; write `profile = …`, `role_arn = …`, or both: the profile that may take the role
    "#);
    // Two backends.
    assert_snapshot!(said("[backend.file]\npath = \"x\"\n[backend.s3]\nbucket = \"b\"\n"), @r#"
    error[S3S-P3]: a stack has one backend, and this is the second at stack.toml:4:10; take one of them out
    error[S3S-W8]: "b" does not match ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$ at stack.toml:5:10 bucket; `bucket`: The name of the bucket that holds the state
    "#);
    // An unknown backend.
    assert_snapshot!(said("[backend.gcs]\nbucket = \"b\"\n"), @r#"error[S3S-P6]: there is no backend `gcs` at stack.toml:2:10; there are [backend.s3] and [backend.file]"#);
    // A backend without bucket.
    assert_snapshot!(said("[backend.s3]\nregion = \"us-east-1\"\nkye = \"x\"\n"), @r#"
    error[S3S-W3]: `bucket` is missing at stack.toml:2:1; add `bucket = …`: The name of the bucket that holds the state
    error[S3S-W1]: there is no property `kye` here at stack.toml:4:1 kye; did you mean `key`?
    "#);
    // An environment with unknown keys and variables.
    assert_snapshot!(said("[var]\nsuffix = \"\"\n[env.dev]\nvar.sufix = \"-dev\"\nregoin = \"us-east-1\"\nconfirm = \"yes\"\n"), @r#"
    error[S3S-W12]: there is no variable `sufix` at stack.toml:5:5; did you mean `suffix`?
    error[S3S-W1]: there is no property `regoin` here at stack.toml:6:1 regoin; did you mean `region`?
    error[S3S-W2]: expected true or false, found a string at stack.toml:7:11 confirm; write true or false, without quotes
    "#);
    // An environment that names a resource.
    assert_snapshot!(said("[var]\nb = \"\"\n[s3.bucket.a]\n[env.dev]\nvar.b = \"${s3.bucket.a.arn}\"\n"), @"error[S3S-R5]: a resource cannot be named in [env] at stack.toml:6:12; use `var` or `env`");
    // Settings that are wrong.
    assert_snapshot!(said("[stack.tags]\n\"aws:x\" = \"1\"\n"), @r#"error[S3S-W5]: keys that begin with `aws:` are reserved at stack.toml:3:1 tags.aws:x; choose another key"#);
    // An output without value.
    assert_snapshot!(said("[output.x]\nsensitve = true\n"), @r#"
    error[S3S-P8]: the output `x` has no value: a table under [output] is a definition at stack.toml:2:1; write x = { value = … }
    error[S3S-W1]: there is no property `sensitve` here at stack.toml:3:1 sensitve; did you mean `sensitive`?
    "#);
}

#[test]
fn schema_is_told_with_place_and_next_step() {
    // An unknown property.
    assert_snapshot!(said("[s3.bucket.a]\nversionning = true\n"), @r#"error[S3S-W1]: there is no property `versionning` here at stack.toml:3:1 in s3.bucket.a versionning; did you mean `versioning`?"#);
    // A value of the wrong type.
    assert_snapshot!(said("[s3.bucket.a]\nversioning = \"on\"\n"), @r#"error[S3S-W2]: expected true or false, found a string at stack.toml:3:14 in s3.bucket.a versioning; write true or false, without quotes"#);
    // Text round an expression where a bool must be.
    assert_snapshot!(said("[var]\nx = true\n[s3.bucket.a]\nversioning = \"x${var.x}\"\n"), @r#"error[S3S-W2]: expected true or false, found a string with an expression in it at stack.toml:5:14 in s3.bucket.a versioning; write the expression alone: "${…}""#);
    // Quotes that are too many and too few.
    assert_snapshot!(said("[s3.bucket.a]\nversioning = \"true\"\nname = 3\n[sqs.queue.a]\nretention = \"60\"\n[sns.topic.a]\nsubscriptions = \"x\"\n"), @r#"
    error[S3S-W2]: expected true or false, found a string at stack.toml:3:14 in s3.bucket.a versioning; take the quotes away
    error[S3S-W2]: expected a string, found a number at stack.toml:4:8 in s3.bucket.a name; put quotes round it
    error[S3S-W2]: expected a whole number, found a string at stack.toml:6:13 in sqs.queue.a retention; take the quotes away: it is a number
    error[S3S-W2]: expected a list of documents, found a string at stack.toml:8:17 in sns.topic.a subscriptions; put brackets round it: […]
    "#);
    // A word that is not allowed.
    assert_snapshot!(said("[s3.bucket.a]\nencryption = \"AES265\"\n"), @r#"error[S3S-W7]: "AES265" is not one of "AES256", "aws:kms" at stack.toml:3:14 in s3.bucket.a encryption; did you mean "AES256"?"#);
    // A missing property.
    assert_snapshot!(said("[iam.role.a]\nname = \"x\"\n"), @r#"error[S3S-W3]: `trust` is missing at stack.toml:2:1 in iam.role.a; add `trust = …`: the address of iam.role or iam.user or a name or a list of references"#);
    // A missing key in a list.
    assert_snapshot!(said("[iam.policy.a]\ngrants = [{ to = \"iam.policy.a\" }]\n"), @r#"error[S3S-W3]: `access` is missing at stack.toml:3:11 in iam.policy.a grants[0]; add `access = …`: a string or a list of strings"#);
    // A number out of range.
    assert_snapshot!(said("[sqs.queue.a]\nretention = 5\n"), @r#"error[S3S-W4]: 5 is out of range: it must be 60 or more at stack.toml:3:13 in sqs.queue.a retention"#);
    // A whole resource where a text must be.
    assert_snapshot!(said("[s3.bucket.a]\n[s3.bucket.b]\nname = \"${s3.bucket.a}\"\n"), @r#"error[S3S-W2]: expected a string, found s3.bucket.a, a resource at stack.toml:4:8 in s3.bucket.b name; say which of its attributes is meant, such as ${s3.bucket.a.arn}"#);
    // A property with a computed name.
    assert_snapshot!(said("[var]\nx = \"name\"\n[s3.bucket.a]\n\"${var.x}\" = \"y\"\n"), @r#"error[S3S-P7]: the name of a property must be written out at stack.toml:5:1 in s3.bucket.a ["${var.x}"]; choose the value with an expression, not the name"#);
    // A key under the wrong header.
    assert_snapshot!(said("[s3.bucket.logs]\nname = \"x\"\n\n[s3.bucket.logs.lifecycle.x]\nexpiration = { days = 3 }\n\nversioning = true\n"), @r#"error[S3S-P9]: `versioning` belongs to s3.bucket.logs but stands after [s3.bucket.logs.lifecycle.x] at stack.toml:8:1 in s3.bucket.logs; move it above line 5"#);
    // A key under the wrong header of two.
    assert_snapshot!(said("[s3.bucket.logs]\n[s3.bucket.logs.lifecycle.x]\n[s3.bucket.logs.lifecycle.y]\nname = \"x\"\n"), @r#"error[S3S-P9]: `name` belongs to s3.bucket.logs but stands after [s3.bucket.logs.lifecycle.y] at stack.toml:5:1 in s3.bucket.logs; move it above line 3"#);
    // A key under a table of texts.
    assert_snapshot!(said("[lambda.function.f]\n[lambda.function.f.env]\nTABLE = \"x\"\ntimeout = 30\n"), @r#"error[S3S-P9]: `timeout` belongs to lambda.function.f but stands after [lambda.function.f.env] at stack.toml:5:11 in lambda.function.f; move it above line 3"#);
    // A reserved key under the wrong header.
    assert_snapshot!(said("[s3.bucket.logs]\n[s3.bucket.logs.lifecycle.x]\nprotect = true\n"), @r#"error[S3S-P9]: `protect` belongs to s3.bucket.logs but stands after [s3.bucket.logs.lifecycle.x] at stack.toml:4:1 in s3.bucket.logs; move it above line 3"#);
    // A key of a table further up.
    assert_snapshot!(said("[s3.bucket.logs.lifecycle.x]\nprefix = \"a\"\n[s3.bucket.logs.lifecycle.x.expiration]\ndays = 3\ntransitions = []\n"), @r#"error[S3S-P9]: `transitions` belongs to s3.bucket.logs.lifecycle.x but stands after [s3.bucket.logs.lifecycle.x.expiration] at stack.toml:6:1 in s3.bucket.logs; move it above line 4"#);
    // A key that belongs nowhere.
    assert_snapshot!(said("[s3.bucket.logs.lifecycle.x]\nversion = true\n"), @r#"error[S3S-W1]: there is no property `version` here at stack.toml:3:1 in s3.bucket.logs lifecycle.x.version; it takes prefix, transitions, expiration, noncurrent_expiration"#);
    // A block without header of its own.
    assert_snapshot!(said("[s3.bucket.logs.lifecycle.x]\nversioning = true\n"), @r#"error[S3S-P9]: `versioning` belongs to s3.bucket.logs but stands after [s3.bucket.logs.lifecycle.x] at stack.toml:3:1 in s3.bucket.logs; write it under a header [s3.bucket.logs] of its own, above line 2"#);
}

#[test]
fn references_are_told_with_place_and_next_step() {
    // A resource that is not there.
    assert_snapshot!(said("[s3.bucket.data]\n[iam.policy.a]\ngrants = [{ to = \"s3.bucket.dta\", access = \"read\" }]\n"), @r#"error[S3S-R3]: there is no s3.bucket.dta in this stack at stack.toml:4:19 in iam.policy.a grants[0].to; did you mean `s3.bucket.data`?"#);
    // A resource of the wrong type.
    assert_snapshot!(said("[s3.bucket.data]\n[iam.instance_profile.a]\nrole = \"s3.bucket.data\"\n"), @r#"error[S3S-W6]: expected the address of iam.role, found s3.bucket.data, which is s3.bucket at stack.toml:4:8 in iam.instance_profile.a role; write the bare address of a block, "iam.role.NAME", without ${}"#);
    // An attribute where a resource must be.
    assert_snapshot!(said("[iam.role.r]\ntrust = \"ec2.amazonaws.com\"\n[iam.instance_profile.a]\nrole = \"iam.role.r.arn\"\n"), @r#"error[S3S-W6]: `iam.role.r.arn` is not the address of a resource at stack.toml:5:8 in iam.instance_profile.a role; write the resource alone: "iam.role.r""#);
    // A type that is not there where a resource must be.
    assert_snapshot!(said("[iam.instance_profile.a]\nrole = \"iam.rol.r\"\n"), @r#"error[S3S-W6]: `iam.rol.r` is not the address of a resource at stack.toml:3:8 in iam.instance_profile.a role; did you mean iam.role?"#);
    // No address at all where a resource must be.
    assert_snapshot!(said("[iam.instance_profile.a]\nrole = \"my-role\"\n"), @r#"error[S3S-W6]: expected the address of iam.role, found "my-role" at stack.toml:3:8 in iam.instance_profile.a role; write the bare address of a block, "iam.role.NAME", without ${}"#);
    // A variable that is not declared.
    assert_snapshot!(said("[var]\nregion = \"x\"\n[s3.bucket.a]\nname = \"${var.regoin}\"\n"), @r#"error[S3S-R2]: there is no variable `regoin` at stack.toml:5:11 in s3.bucket.a name; did you mean `var.region`?"#);
    // A variable that is not declared as a reference.
    assert_snapshot!(said("[iam.instance_profile.a]\nrole = \"var.role\"\n"), @r#"error[S3S-R2]: there is no variable `role` at stack.toml:3:9 in iam.instance_profile.a role; declare it: role = … under [var]"#);
    // An unknown attribute.
    assert_snapshot!(said("[s3.bucket.a]\n[output]\nx = \"${s3.bucket.a.anr}\"\n"), @r#"error[S3S-R4]: s3.bucket.a has no property or attribute `anr` at stack.toml:4:8; did you mean `arn`?"#);
    // An unknown key in a property.
    assert_snapshot!(said("[s3.bucket.a]\n[output]\nx = \"${s3.bucket.a.logging.prefx}\"\n"), @r#"error[S3S-R4]: s3.bucket.a.logging has no property or attribute `prefx` at stack.toml:4:8; did you mean `prefix`?"#);
    // An unknown attribute of self.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"${self.nam}\"\n"), @r#"error[S3S-R4]: self has no property or attribute `nam` at stack.toml:3:11 in s3.bucket.a name; did you mean `name`?"#);
    // Self in an output.
    assert_snapshot!(said("[output]\nx = \"${self.arn}\"\n"), @r#"error[S3S-R5]: `self` is the block an expression stands in, and here is none at stack.toml:3:8; write the resource's address"#);
    // An unknown root.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"${vra.x}-${region}\"\n"), @"
    error[S3S-R1]: there is nothing named `vra` at stack.toml:3:11 in s3.bucket.a name; did you mean `var`?
    error[S3S-R1]: there is nothing named `region` at stack.toml:3:20 in s3.bucket.a name; there are var, env, stack, aws, self, module and the addresses of resources
    ");
    // Half an address.
    assert_snapshot!(said("[s3.bucket.a]\n[output]\nx = \"${s3.bucket}\"\n"), @r#"error[S3S-R1]: `s3.bucket` is no address at stack.toml:4:8; write `service.type.name`, such as `s3.bucket.data`"#);
    // An unknown type in an expression.
    assert_snapshot!(said("[output]\nx = \"${s3.bukcet.a.arn}\"\n"), @r#"error[S3S-R1]: there is no resource type s3.bukcet at stack.toml:3:8; did you mean `s3.bucket`?"#);
    // What aws and stack and env do not have.
    assert_snapshot!(said("[output]\nx = \"${aws.acount_id} ${stack.nam} ${env.name}\"\n"), @r#"
    error[S3S-R1]: there is no `aws.acount_id` at stack.toml:3:8; did you mean `aws.account_id`?
    error[S3S-R1]: there is no `stack.nam` at stack.toml:3:25; did you mean `stack.name`?
    error[S3S-R1]: `env` is the environment's name, a text, and has nothing in it at stack.toml:3:38; write `env` alone, or `var.NAME` for a value that differs by environment
    "#);
    // A resource in a variable's default.
    assert_snapshot!(said("[s3.bucket.a]\n[var]\nx = \"${s3.bucket.a.arn}\"\ny = \"${aws.region}\"\n"), @"
    error[S3S-R5]: a resource cannot be named in [var] at stack.toml:4:8; use `var` or `env`
    error[S3S-R5]: `aws` cannot be named in [var] at stack.toml:5:8; use `var` or `env`
    ");
    // Names of later versions.
    assert_snapshot!(said("[s3.bucket.a]\nname = \"${each.key}\"\nlogging = { bucket = \"module.core.logs\" }\n"), @"
    error[S3S-R5]: `each` stands for one of several, and this block has no `for_each` at stack.toml:3:11 in s3.bucket.a name; add `for_each = …` with a map or a list, or take `each` out
    error[S3S-R12]: there is no module `core` at stack.toml:4:23 in s3.bucket.a logging.bucket; add [module.core] with the folder of the module as its `source`
    ");
}

#[test]
fn reserved_is_told_with_place_and_next_step() {
    // A dependency on nothing.
    assert_snapshot!(said("[s3.bucket.a]\n[s3.bucket.b]\ndepends_on = \"s3.bucket.c\"\n"), @r#"error[S3S-R3]: there is no s3.bucket.c in this stack at stack.toml:4:14 in s3.bucket.b depends_on; add [s3.bucket.c], or name another"#);
    // A dependency that is no address.
    assert_snapshot!(said("[s3.bucket.b]\ndepends_on = [\"s3.bucket\", \"${s3.bucket.b}\", 3]\n"), @r#"
    error[S3S-P8]: `s3.bucket` is neither the address of a resource nor of a module at stack.toml:3:15 in s3.bucket.b; write one of this file, such as "s3.bucket.data" or "module.core"
    error[S3S-P8]: `${s3.bucket.b}` must be written out, without expressions at stack.toml:3:28 in s3.bucket.b; write the bare name, such as "s3.bucket.data"
    error[S3S-W2]: expected a string, found a number at stack.toml:3:46 in s3.bucket.b depends_on[2]; put quotes round it
    "#);
    // A dependency on itself.
    assert_snapshot!(said("[s3.bucket.b]\ndepends_on = \"s3.bucket.b\"\n"), @r#"error[S3S-P8]: a block cannot name itself here at stack.toml:3:14 in s3.bucket.b; take it out"#);
    // A switch that is no bool.
    assert_snapshot!(said("[s3.bucket.b]\nprotect = \"yes\"\nretain = 1\nwhen = \"x\"\n"), @r#"
    error[S3S-W2]: expected true or false, found a string at stack.toml:3:11 in s3.bucket.b protect; write true or false, without quotes
    error[S3S-W2]: expected true or false, found a number at stack.toml:4:10 in s3.bucket.b retain; write true or false, without quotes
    error[S3S-W2]: expected true or false, found a string at stack.toml:5:8 in s3.bucket.b when; write true or false, without quotes
    "#);
    // Changes that cannot be ignored.
    assert_snapshot!(said("[s3.bucket.b]\nignore_changes = [\"tags.X\", \"lifecycle.x.prefx\", \"versionning\", \"a b\"]\n"), @r#"
    error[S3S-P8]: `lifecycle.x.prefx` leads nowhere: there is no property `prefx` at stack.toml:3:29 in s3.bucket.b; did you mean `prefix`?
    error[S3S-P8]: `versionning` leads nowhere: there is no property `versionning` at stack.toml:3:50 in s3.bucket.b; did you mean `versioning`?
    error[S3S-P8]: `a b` is not the path of a property at stack.toml:3:65 in s3.bucket.b; write a property, such as "versioning" or "tags.Environment"
    "#);
    // A move from what is still there.
    assert_snapshot!(said("[s3.bucket.a]\n[s3.bucket.b]\nmoved_from = \"s3.bucket.a\"\n"), @r#"error[S3S-P8]: s3.bucket.a cannot be where this comes from: it is still in the stack at stack.toml:4:14 in s3.bucket.b moved_from; rename the block, or take `moved_from` out"#);
    // A move from another type, and of one resource into two.
    assert_snapshot!(said("[s3.bucket.a]\nmoved_from = \"iam.role.r\"\n[s3.bucket.b]\nmoved_from = \"s3.bucket.old\"\n[s3.bucket.c]\nmoved_from = \"s3.bucket.old\"\n"), @r#"
    error[S3S-P8]: s3.bucket.a cannot come from iam.role.r, which is of another type at stack.toml:3:14 in s3.bucket.a moved_from; write the address that this block had before, or take it out
    error[S3S-P8]: s3.bucket.old cannot have become both s3.bucket.b and this at stack.toml:7:14 in s3.bucket.c moved_from; leave it with the one that it became
    "#);
    // An import that is no text.
    assert_snapshot!(said("[s3.bucket.b]\nimport = 3\n"), @r#"error[S3S-W2]: expected a string, found a number at stack.toml:3:10 in s3.bucket.b import; put quotes round it"#);
    // Findings allowed badly.
    assert_snapshot!(said("[s3.bucket.b]\nallow = { T10 = \"x\", S3S-T11 = \" \", S3S-T12 = \"known\" }\n"), @r#"
    error[S3S-P8]: `T10` is not the code of a finding at stack.toml:3:11 in s3.bucket.b; write it as it is shown in brackets, such as S3S-T10
    error[S3S-P8]: S3S-T11 is allowed without a reason at stack.toml:3:32 in s3.bucket.b; write why, for whoever reads this next
    "#);
}

#[test]
fn definitions_are_told_with_place_and_next_step() {
    // An unknown key of a definition.
    assert_snapshot!(said("[var.x]\ndefalt = 3\ntype = \"number\"\n"), @r#"error[S3S-W1]: there is no property `defalt` here at stack.toml:3:1 defalt; did you mean `default`?"#);
    // A map that is taken for a definition.
    assert_snapshot!(said("[var]\nsizes = { small = 1, large = 2 }\n"), @r#"error[S3S-P8]: a table under [var] is a definition, and var.sizes has none of its keys at stack.toml:3:9; for a map write sizes = { type = "map(any)", default = { … } }"#);
    // A type that is none.
    assert_snapshot!(said("[var.x]\ntype = \"sting\"\n"), @r#"error[S3S-W10]: `sting` is no type: there is no `sting` at stack.toml:3:8; did you mean `string`?"#);
    // A type of an unknown resource.
    assert_snapshot!(said("[var.x]\ntype = \"ref(s3.pail)\"\n"), @r#"error[S3S-W10]: `ref(s3.pail)` is no type: there is no resource type `s3.pail` at stack.toml:3:8; write a type such as `ref(s3.bucket)`"#);
    // A pattern that is none.
    assert_snapshot!(said("[var.x]\npattern = \"(\"\n"), @r#"error[S3S-P8]: the pattern is no regular expression: found open group without closing ')' at stack.toml:3:11; write the pattern in single quotes, so that backslashes stay"#);
    // A range with nothing in it.
    assert_snapshot!(said("[var.x]\nmin = 3\nmax = 1\n"), @r#"error[S3S-P8]: min is 3 and max is 1: nothing fits at stack.toml:4:7; exchange them"#);
    // A definition with expressions.
    assert_snapshot!(said("[var]\na = \"string\"\n[var.x]\ntype = \"${var.a}\"\nmin = \"${1}\"\n"), @r#"
    error[S3S-P7]: `type` must be written out: it is read before any expression is evaluated at stack.toml:5:8; write the value itself
    error[S3S-P7]: `min` must be written out: it is read before any expression is evaluated at stack.toml:6:7; write the value itself
    "#);
    // A list of which one item does not fit.
    assert_snapshot!(said("[var.x]\ntype = \"list(object({a = number}))\"\ndefault = [{ a = 1 }, { a = true }]\n"), @r#"error[S3S-W13]: the default of `x` does not fit its type: expected a number, found a bool at stack.toml:4:11; its type is list(object({a = number}))"#);
    // A default of another type.
    assert_snapshot!(said("[var.x]\ntype = \"number\"\ndefault = \"three\"\n"), @r#"error[S3S-W13]: the default of `x` does not fit its type: expected a number, found a string at stack.toml:4:11; write a number"#);
    // A variable under another one's header.
    assert_snapshot!(said("[var]\na = 1\n[var.x]\ndefault = 2\nproject = \"y\"\n"), @r#"error[S3S-P9]: `project` is no part of a definition, and stands after [var.x] at stack.toml:6:1; if it is a variable of its own, move it under [var], above line 4"#);
}
