//! `explain`, and what is written for the repository out of the same: the reference pages and the schema for editors.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use s3stack::commands::schema;
use s3stack::explain::reference::documents;
use s3stack::resources::TYPES;
use s3stack::ui::render_document;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the program prints; neither a stack nor AWS is there.
fn s3stack(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3stack"));
    let output = command.args(arguments).current_dir(folder).env("NO_COLOR", "1").output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

#[track_caller]
fn explain(name: &str) -> String {
    let empty = tempfile::tempdir().expect("a folder");
    let (code, text) = s3stack(&["explain", name], empty.path());
    assert_eq!(code, Some(0), "{text}");
    text
}

#[test]
fn a_type_is_explained() {
    insta::assert_snapshot!(explain("logs.group"), @r#"
    logs.group

    A log group. Whoever writes into it needs a grant; AWS's services make streams in it by themselves.

      default name  `shop-prod-data` for block `data` of stack `shop` with `--env prod`: stack,
                    environment unless it is the default one, block; over 512 characters it is cut and
                    told apart by a digest
      unique        in the account and region
      tags          yes, the stack's mark among them
      deleted       with what is in it, which nobody can make again; the plan says how much
      import        `import = "…"` takes its `name`

    Properties

      name       The name: 1 to 512 letters, digits and `.-_/#`, unique in the account and region.
                 Functions write into `/aws/lambda/NAME` unless told otherwise.
                 a string, 1 to 512 characters, matches `^[.\-_/#A-Za-z0-9]+$` · create-only
      retention  For how many days logs are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400,
                 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653. If nothing is said they are kept
                 for ever. Shortening it deletes what is older.
                 a whole number from 1 to 3653
      class      What can be done with the logs, and at what price. AWS's default is `STANDARD`.
                 one of "STANDARD", "INFREQUENT_ACCESS", "DELIVERY" · create-only
      kms_key    The key that encrypts what is written from now on: a KMS key or its ARN. It must let
                 `logs.REGION.amazonaws.com` use it. Without one CloudWatch Logs encrypts with a key of
                 its own.
                 the address of kms.key or an ARN
      tags       Its tags, at most 48. Tags that others put there are left alone.
                 a table of strings, at most 48 entries, keys of 1 to 128 characters, keys may not begin
                 with `aws:` or `s3stack:`

    Attributes, as in `${logs.group.NAME.arn}`

      arn  The ARN, `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, without the `:*` that policies want.

    Access levels, as in `grants = [{ to = "logs.group.NAME", access = "…" }]`

      write  Make streams and write events into them.
             `logs:CreateLogStream`, `logs:PutLogEvents`
      read   List streams, and read and search their events.
             `logs:DescribeLogStreams`, `logs:FilterLogEvents`, `logs:GetLogEvents`
      query  Read, and ask Logs Insights. Results of a query are had by its id alone, from whatever
             group they are.
             `logs:DescribeLogStreams`, `logs:FilterLogEvents`, `logs:GetLogEvents`,
             `logs:GetQueryResults`, `logs:StartQuery`

    What s3stack must be allowed to do

      read    `logs:DescribeLogGroups`, `logs:ListTagsForResource`
      create  `logs:CreateLogGroup`, `logs:PutRetentionPolicy`, `logs:TagResource`
      update  `logs:AssociateKmsKey`, `logs:DeleteRetentionPolicy`, `logs:DisassociateKmsKey`,
              `logs:PutRetentionPolicy`, `logs:TagResource`, `logs:UntagResource`
      delete  `logs:DeleteLogGroup`

    Example

      [logs.group.app]
      retention = 30

    `s3stack explain logs.group.PROPERTY` tells more of each; `s3stack explain keys` tells what every
    block may have.
    "#);
}

#[test]
fn a_property_inside_another_is_explained() {
    insta::assert_snapshot!(explain("s3.bucket.lifecycle.transitions"), @r#"
    s3.bucket.lifecycle.transitions

    Moves to colder storage, each once the object is old enough. Objects under 128 KB stay where they
    are unless the rule filters by size.

      type  a list of tables, in any order

    Each item has

      days           Days after the object was made. Infrequent access takes 30 at least.
                     a whole number, 0 or more
      date           A day, `2027-01-31`, at midnight UTC, instead of `days`.
                     a string, matches `^\d{4}-\d{2}-\d{2}(T00:00:00(\.0+)?Z)?$`
      storage_class  Where it goes.
                     one of "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER",
                     "DEEP_ARCHIVE" · required

    Example

      # Colder with age, gone after a year. In a versioned bucket `noncurrent_expiration` is what deletes.
      [s3.bucket.archive.lifecycle.reports]
      prefix                = "reports/"
      transitions           = [{ days = 30, storage_class = "STANDARD_IA" }, { days = 90, storage_class = "GLACIER" }]
      expiration            = { days = 365 }
      noncurrent_expiration = { days = 30, newer_versions = 3 }
    "#);
}

#[test]
fn a_property_with_a_name_of_its_own_is_explained() {
    insta::assert_snapshot!(explain("iam.user.name"), @r#"
    iam.user.name

    The name: 1 to 64 letters, digits and `_+=,.@-`, unique in the account whatever the case and the
    path.

      type       a string, 1 to 64 characters, matches `^[A-Za-z0-9_+=,.@-]+$`
      default    made of the names of stack, environment and block
      changed    the resource is replaced: AWS has no way to change it
      taken out  the default name again, which is another resource
      in AWS     `UserName`

    Example

      [iam.user.ada]
      name = "ada"
    "#);
}

#[test]
fn a_section_a_function_and_a_code_are_explained() {
    insta::assert_snapshot!(explain("env"), @r#"
    env

    The environments, by name: copies of the stack with names and state of their own.
    `s3stack apply --env prod` takes `[env.prod]`; `${env}` is its name, and `default` without `--env`.
    `s3stack env list` shows what is applied where.

    Each entry has

      var         Values of variables: `var.NAME = …`.
                  a table of any values
      region      A region of AWS, such as `"us-east-1"`, in place of the stack's.
                  a string, matches `^[a-z]{2,}(-[a-z]+)+-[0-9]+$`
      tags        Tags for everything that can carry them, such as `{ Project = "x" }`.
                  a table of strings, at most 48 entries, keys of 1 to 128 characters, keys may not
                  begin with `aws:` or `s3stack:`
      account     The account that the stack is in, by the name of its `[account.NAME]`; without it the
                  one of the credentials.
                  a string
      account_id  The twelve digits of an account, as a text. In any other nothing is planned or
                  applied.
                  a string, matches `^[0-9]{12}$`
      backend     Keys of the stack's `[backend]` that differ: `backend.key = "shop/prod"`. A bucket's
                  `key` and a folder's `path` may be the same for all: each environment has a place of
                  its own in them.
                  a table
      confirm     Whether a destroy asks for the environment's name.
                  true or false

    Example

      [env.prod]
      account       = "staging"
      region        = "eu-west-1"
      backend.key   = "shop/prod"
      var.retention = 365
      tags          = { Environment = "prod" }
      confirm       = true

    `s3stack explain env.KEY` tells more of each.
    "#);
    insta::assert_snapshot!(explain("for_each"), @r#"
    for_each

    Makes a resource for each entry of a table or text of a list. In the block `${each.key}` and
    `${each.value}` say which, both the text where it is a list; the address is `s3.bucket.data["KEY"]`.
    Values may be made from other resources, keys may not.

      type  a list of strings, or a table of any values

    Example

      [s3.bucket.logs]
      for_each   = ["eu", "us"]
      name       = "acme-logs-${each.key}"
      moved_from = { eu = "s3.bucket.old_logs" }
    "#);
    insta::assert_snapshot!(explain("lookup()"), @r#"
    lookup

    `lookup(map, key, [default])`

    The value of the key, or the default if there is none.

    Example

      lookup({ a = 1 }, "b", 0) = 0
    "#);
    insta::assert_snapshot!(explain("s3s-n1"), @r#"
    S3S-N1

    Two buckets have one name.

      about  Rules about AWS

    `s3stack explain codes` lists them all.
    "#);
}

#[test]
fn a_name_of_nothing_is_told_with_the_one_that_was_meant() {
    let empty = tempfile::tempdir().expect("a folder");
    let mut told = String::new();
    for name in ["s3.bukket.name", "s3.bucket.lifecycle.transitons", "lenght", "S3S-Q1", "s3.bucket.versioning.x"] {
        let (code, text) = s3stack(&["explain", name], empty.path());
        assert_eq!(code, Some(1), "{text}");
        told += &text;
    }
    insta::assert_snapshot!(told, @r#"
    error[S3S-R11]: there is nothing called `s3.bukket.name` to explain
     |
     = help: did you mean `s3.bucket.name`?

    1 error
    error[S3S-R11]: s3.bucket.lifecycle has no `transitons`
     |
     = help: did you mean `s3.bucket.lifecycle.transitions`?

    1 error
    error[S3S-R11]: there is nothing called `lenght` to explain
     |
     = help: did you mean `length`?

    1 error
    error[S3S-R11]: there is nothing called `S3S-Q1` to explain
     |
     = help: `s3stack explain codes` lists them all

    1 error
    error[S3S-R11]: s3.bucket.versioning has no `x`
     |
     = help: there is nothing inside it: `s3stack explain s3.bucket.versioning` tells all

    1 error
    "#);
}

#[test]
fn an_explanation_is_one_event() {
    let empty = tempfile::tempdir().expect("a folder");
    let (code, text) = s3stack(&["explain", "s3.bucket.versioning", "--json"], empty.path());
    assert_eq!(code, Some(0), "{text}");
    insta::assert_snapshot!(text, @r#"{"v":1,"type":"explain","topic":"property","name":"s3.bucket.versioning","text":"Whether overwritten and deleted objects are kept as versions. Once on it can only be suspended: versions stay.","facts":{"type":"true or false","default":"none","changed":"in place","taken_out":"`false`, which is AWS's default"},"parts":[],"example":"[s3.bucket.data]\nversioning = true","next":null}"#);
}

#[test]
fn the_reference_pages_are_those_of_the_types_there_are() {
    let renew = "run `cargo run -- docs docs`";
    let mut expected = BTreeSet::new();
    for document in documents() {
        let path = root().join("docs").join(&document.path);
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}: {renew}", path.display()));
        assert!(page == render_document(&document), "{} is stale: {renew}", path.display());
        expected.insert(path);
    }
    for entry in std::fs::read_dir(root().join("docs/types")).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        assert!(expected.contains(&path), "{} is of no type that there is: delete it", path.display());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (code, text) = s3stack(&["docs", "made/here"], folder.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(folder.path().join("made/here/types/s3.bucket.md").is_file());
}

#[test]
fn the_schema_is_that_of_the_types_there_are() {
    let path = root().join("schema/stack.schema.json");
    let renew = "run `cargo run -- schema --output schema/stack.schema.json`";
    let committed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {renew}"));
    assert!(committed == schema::text(), "{} is stale: {renew}", path.display());
}

#[test]
fn the_examples_are_stacks() {
    for (name, example) in TYPES
        .iter()
        .map(|kind| {
            (
                kind.descriptor().name,
                format!("[stack]\nname = 'shown'\nregion = 'eu-west-1'\n\n{}", kind.descriptor().example),
            )
        })
        .chain([("sections", include_str!("../../src/explain/sections.toml").to_owned())])
    {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("site")).expect("a folder");
        std::fs::write(folder.path().join("site/logo.svg"), "<svg/>").expect("a file");
        // What the sections name beside the file.
        let module = folder.path().join("modules/site");
        std::fs::create_dir_all(&module).expect("a folder");
        let text = "[var]\nname = ''\n[var.deployer]\ntype = 'ref(iam.role)'\n\
                    [iam.group.g]\nname = '${var.name}${var.deployer.name}'\n";
        std::fs::write(module.join("module.toml"), text).expect("a file");
        std::fs::write(folder.path().join("stack.toml"), example).expect("a file");
        let (code, text) = s3stack(&["validate"], folder.path());
        assert!(code == Some(0) && !text.contains("warning"), "{name}: {text}");
    }
}

#[test]
fn the_language_as_the_readme_shows_it_is_a_stack() {
    let readme = include_str!("../../README.md");
    let (_, chapter) = readme.split_once("## The language").expect("the chapter");
    let (_, rest) = chapter.split_once("```toml\n").expect("what it shows");
    let (shown, _) = rest.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("modules/site");
    std::fs::create_dir_all(&module).expect("a folder");
    let text = "[var.bucket]\ntype = 'ref(s3.bucket)'\n[output]\nurl = 'https://${var.bucket.name}'\n";
    std::fs::write(module.join("module.toml"), text).expect("a file");
    let stack = format!("[stack]\nname = 'readme'\nregion = 'us-east-1'\n{shown}");
    std::fs::write(folder.path().join("stack.toml"), stack).expect("a file");
    for environment in ["default", "prod"] {
        let (code, text) = s3stack(&["validate", "--var", "domain=acme.example", "--env", environment], folder.path());
        assert!(code == Some(0) && !text.contains("warning"), "{environment}: {text}");
    }
}
