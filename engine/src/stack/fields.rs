//! What the sections and the reserved keys may hold: for checking them, for documentation and for editors.

use indexmap::IndexMap;

use crate::schema::{Items, Property, Schema, Shape, StringRules};

/// Fields by name.
pub type Fields = IndexMap<String, Property>;

/// The sections of this version with all that they may hold. [`Shape::Document`] is any value here.
pub fn sections() -> Fields {
    let mut output = output();
    require(&mut output, "value");
    let backends = ["s3", "file"].into_iter().filter_map(|kind| Some((kind, Shape::Object(backend(kind)?))));
    let backends = backends.zip([
        "A bucket for the state, which `s3stack init --backend` makes.",
        "A folder for the state: for one person on one machine, or where another program keeps it.",
    ]);
    let backends = backends.map(|((kind, shape), doc)| (kind.to_owned(), documented(shape, doc))).collect();
    [
        (
            "stack",
            Shape::Object(settings()),
            "What the stack is called, and where it lives. Every stack has it, once. Values may use `var` and `env`.",
        ),
        (
            "backend",
            Shape::Object(backends),
            "Where the state is kept: one of its tables. Without it the state is in the folder `.s3stack/state`. Values \
             may use `var` and `env`.",
        ),
        (
            "var",
            map_of(Shape::Choice(vec![Shape::Object(definition()), Shape::Document])),
            "The variables, by name: `${var.NAME}` is the value. A value that is no table is the default, and gives the \
             type; a table is a definition.\n\nA value comes from `--var NAME=VALUE`, from `--var-file FILE`, from the \
             environment variable `S3STACK_VAR_NAME`, from `[env.NAME]`, from `stack.vars.toml`, or is the default.",
        ),
        (
            "output",
            map_of(Shape::Choice(vec![Shape::Object(output), Shape::Document])),
            "What the stack tells after an apply, by name; `s3stack output` shows it again. A table is a definition, \
             anything else is the value.",
        ),
        (
            "module",
            map_of(Shape::Object(module())),
            "The modules, by name: folders whose blocks are used as a whole, as often as wanted. `${module.NAME.OUTPUT}` is \
             an output of one. Its files are `module.toml` and every `*.module.toml` beside it; they see their own \
             variables, blocks and modules and none of the stack's.",
        ),
        (
            "lookup",
            map_of(map_of(map_of(Shape::Object(lookup_of_any())))),
            "Resources that somebody else made, by type and name: `[lookup.s3.bucket.logs]`, and \
             `${lookup.s3.bucket.logs.arn}`. They are read when a plan is made, found by `id`, by `tags`, or by what the \
             identifier is made of, such as `name`. None, or several, is an error.",
        ),
        (
            "remote",
            map_of(Shape::Object(remote())),
            "Other stacks, by name: `${remote.NAME.OUTPUT}` is an output of the last apply that was done there. Sensitive \
             ones are not stored, and so are not there. Values may use `var` and `env`.",
        ),
        (
            "account",
            map_of(Shape::Object(account())),
            "The accounts that resources may be in beside the stack's own, by name: `account = \"NAME\"` in a block or a \
             module. Values may use `var` and `env`.",
        ),
        (
            "env",
            map_of(Shape::Object(environment())),
            "The environments, by name: copies of the stack with names and state of their own. `s3stack apply --env prod` \
             takes `[env.prod]`; `${env}` is its name, and `default` without `--env`. `s3stack env list` shows what is \
             applied where.",
        ),
    ]
    .into_iter()
    .map(|(name, shape, doc)| (name.to_owned(), documented(shape, doc)))
    .collect()
}

/// What `[stack]` may hold.
pub(super) fn settings() -> Fields {
    let mut fields = fields([
        (
            "name",
            stack_name(),
            "Lower-case letters, digits and hyphens, a letter first, at most 64. It is a part of every default name.",
        ),
        (
            "region",
            text(Some(REGION)),
            "A region of AWS, such as `\"us-east-1\"`. Without it that of the AWS configuration.",
        ),
        ("tags", tags(), TAGS),
        ("requires", text(Some("^[<>=^~*0-9]")), "The versions of s3stack that may read this, such as `\">=0.1\"`."),
        ("account_id", text(Some(ACCOUNT_ID)), ACCOUNT),
        (
            "id",
            text(None),
            "The id of the stack's state, which `s3stack init --backend` writes here. A state with another id is refused.",
        ),
    ]);
    require(&mut fields, "name");
    fields
}

/// What `[backend.KIND]` may hold.
pub(super) fn backend(kind: &str) -> Option<Fields> {
    match kind {
        "s3" => {
            let mut fields = fields([
                ("bucket", text(Some(BUCKET)), "The name of the bucket that holds the state."),
                ("key", some_text(), "Where in the bucket the state is; without it the stack's name."),
                ("region", text(Some(REGION)), "The bucket's region; without it that of the stack."),
                ("profile", some_text(), "The profile that may use the bucket; without it the one of the stack."),
            ]);
            require(&mut fields, "bucket");
            Some(fields)
        }
        "file" => Some(fields([("path", some_text(), "The folder of the state; without it `.s3stack/state`.")])),
        _ => None,
    }
}

/// What a table under `[var]` may hold.
pub(super) fn definition() -> Fields {
    let allowed = Shape::List(Items { item: Box::new(Property::new(Shape::Document)), min: Some(1), max: None });
    fields([
        (
            "type",
            text(None),
            "`string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, `object({a = T, b = optional(T)})` or \
             `ref(s3.bucket)`. Without it the type of the default.",
        ),
        ("default", Shape::Document, "Its value where nobody gives one. Without a default somebody must."),
        ("description", text(None), "What it is for."),
        ("allowed", allowed, "The only values that it may have, as a list."),
        ("pattern", text(None), "A regular expression that the text must match; anchor it. Write it in single quotes."),
        ("min", any_number(), "The least number, or the fewest characters or items."),
        ("max", any_number(), "The greatest number, or the most characters or items."),
        ("sensitive", flag(), "Whether its value is never shown or stored, nor what is made of it."),
    ])
}

/// What a table under `[output]` may hold.
pub(super) fn output() -> Fields {
    fields([
        ("value", Shape::Document, "The value."),
        ("sensitive", flag(), "Whether it is never shown or stored."),
        ("description", text(None), "What it is for."),
    ])
}

/// What `[env.NAME]` may hold.
pub(super) fn environment() -> Fields {
    let mut overrides = Fields::new();
    for mut fields in ["s3", "file"].into_iter().filter_map(backend) {
        fields.values_mut().for_each(|field| field.required = false);
        overrides.extend(fields);
    }
    fields([
        ("var", map_of(Shape::Document), "Values of variables: `var.NAME = …`."),
        ("region", text(Some(REGION)), "A region of AWS, such as `\"us-east-1\"`, in place of the stack's."),
        ("tags", tags(), TAGS),
        (
            "account",
            text(None),
            "The account that the stack is in, by the name of its `[account.NAME]`; without it the one of the credentials.",
        ),
        ("account_id", text(Some(ACCOUNT_ID)), ACCOUNT),
        (
            "backend",
            Shape::Object(overrides),
            "Keys of the stack's `[backend]` that differ: `backend.key = \"shop/prod\"`. A bucket's `key` and a folder's \
             `path` may be the same for all: each environment has a place of its own in them.",
        ),
        ("confirm", flag(), "Whether a destroy asks for the environment's name."),
    ])
}

/// What `[account.NAME]` may hold.
pub(super) fn account() -> Fields {
    fields([
        ("profile", some_text(), "The profile whose credentials lead there, or that may take the role."),
        (
            "role_arn",
            text(Some("^arn:aws[a-z-]*:iam::[0-9]{12}:role/")),
            "The role to take there. Its trust policy must let the caller in.",
        ),
        ("external_id", some_text(), "What the role's trust policy wants to hear."),
        (
            "session_name",
            text(Some("^[A-Za-z0-9+=,.@_-]{2,64}$")),
            "What the session is called in CloudTrail; without it `s3stack`.",
        ),
        ("region", text(Some(REGION)), "The region of resources in it that say none; without it that of the stack."),
        ("account_id", text(Some(ACCOUNT_ID)), "The twelve digits that it must have, as a text."),
    ])
}

/// What `[remote.NAME]` may hold.
pub(super) fn remote() -> Fields {
    fields([
        ("path", some_text(), "The folder of the other stack, relative to that of this one."),
        ("key", some_text(), "Where in the bucket its state is: the `key` of its backend or, without one, its name."),
        ("bucket", text(Some(BUCKET)), "The bucket of its state; without it that of this stack's own."),
        ("region", text(Some(REGION)), "The bucket's region; without it that of this stack's own backend."),
        (
            "profile",
            some_text(),
            "The profile that may read the bucket; without it the one of this stack's own backend.",
        ),
        ("env", some_text(), "Its environment; without it the one that this stack is in."),
    ])
}

/// What `[lookup.TYPE.NAME]` may hold.
pub(super) fn lookup(schema: &Schema, identified_by: &[String]) -> Fields {
    let mut fields: Fields = identified_by
        .iter()
        .filter_map(|name| Some((name.clone(), Property { required: false, ..schema.properties.get(name)?.clone() })))
        .collect();
    fields.insert("id".into(), documented(some_text(), "AWS's identifier."));
    if schema.properties.contains_key("tags") {
        fields.insert("tags".into(), documented(map_of(text(None)), "Tags that it has, and no other has all of."));
    }
    fields.extend(lookup_keys());
    fields
}

/// What a lookup of most types may hold, for documentation.
fn lookup_of_any() -> Fields {
    let mut fields = fields([
        ("name", some_text(), "The name, for most types: what the identifier is made of."),
        ("path", some_text(), "The path that goes with the name of something of IAM."),
        ("bucket", some_text(), "The bucket of an object, by name or address."),
        ("key", some_text(), "The key of an object."),
        ("id", some_text(), "AWS's identifier."),
        ("tags", map_of(text(None)), "Tags that it has, and no other has all of."),
    ]);
    fields.extend(lookup_keys());
    fields
}

/// The keys of every lookup beside those that say what is looked for.
fn lookup_keys() -> Fields {
    fields([
        ("for_each", for_each(), "Looks up a resource for each entry of a table or text of a list."),
        ("when", flag(), "Whether the lookup counts. False is as if it were not written. It may name `each` too."),
        ("account", text(None), ACCOUNT_OF),
        ("region", text(None), REGION_OF),
    ])
}

/// Whether a text can be a region.
pub fn is_region(text: &str) -> bool {
    crate::schema::validate::matches(REGION, text)
}

/// What `[module.NAME]` may hold.
pub(super) fn module() -> Fields {
    let mut fields = fields([
        (
            "source",
            some_text(),
            "The folder with the module's `module.toml`, relative to that of this file: `\"./modules/core\"`.",
        ),
        (
            "var",
            map_of(Shape::Document),
            "Values of the module's variables: `var.NAME = …`. For one of type `ref(…)` a bare address.",
        ),
        (
            "for_each",
            for_each(),
            "Makes the module once for each entry of a table or text of a list. In this block `${each.key}` and \
             `${each.value}` say which; an address in it begins with `module.NAME[\"KEY\"]`.",
        ),
        ("account", text(None), ACCOUNT_OF),
        ("region", text(None), REGION_OF),
        ("depends_on", one_or_many(), DEPENDS_ON),
        ("when", flag(), "Whether the module counts. False is as if it were not written. It may name `each` too."),
        (
            "moved_from",
            moved_from(),
            "What the module was called before, so that its resources are kept; or a table of what became a part of it, by \
             address in the module: `{ \"s3.bucket.data\" = \"s3.bucket.data\" }`; with `for_each` also by key.",
        ),
    ]);
    require(&mut fields, "source");
    fields
}

fn moved_from() -> Shape {
    match one_or_many() {
        Shape::Choice(shapes) => Shape::Choice(shapes.into_iter().chain([map_of(text(None))]).collect()),
        shape => shape,
    }
}

fn for_each() -> Shape {
    Shape::Choice(vec![
        Shape::List(Items { item: Box::new(Property::new(text(None))), min: None, max: None }),
        map_of(Shape::Document),
    ])
}

const ACCOUNT_OF: &str = "The account that it is in, by the name of its `[account.NAME]`; without it the stack's.";
const REGION_OF: &str = "The region that it is in; without it that of its account, its module, or the stack.";
const DEPENDS_ON: &str =
    "Blocks and modules that must be there before, by address, where no reference says so already.";

/// The reserved keys of every block, in the order of documentation.
pub fn reserved() -> Fields {
    fields([
        (
            "for_each",
            for_each(),
            "Makes a resource for each entry of a table or text of a list. In the block `${each.key}` and `${each.value}` \
             say which, both the text where it is a list; the address is `s3.bucket.data[\"KEY\"]`. Values may be made \
             from other resources, keys may not.",
        ),
        ("depends_on", one_or_many(), DEPENDS_ON),
        (
            "when",
            flag(),
            "Whether the block counts. False is as if it were not written. It may name `var`, `env`, `stack`, `aws` and \
             `each`, but no resource.",
        ),
        ("account", text(None), ACCOUNT_OF),
        ("region", text(None), REGION_OF),
        ("protect", flag(), "Whether a plan that deletes or replaces the resource is refused."),
        ("retain", flag(), "Whether AWS keeps the resource when its block goes. s3stack then forgets it."),
        (
            "ignore_changes",
            one_or_many(),
            "Properties, by path, that are left as AWS has them once the resource is made: `\"tags.Owner\"`.",
        ),
        (
            "moved_from",
            moved_from(),
            "The addresses that this block had before, so that its resource is kept; with `for_each` a table, by key.",
        ),
        ("import", text(None), "The id in AWS of a resource that is there already, and is taken over."),
        ("allow", map_of(text(None)), "Findings that are meant to be so, by code, each with the reason."),
    ])
}

const BUCKET: &str = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";
const REGION: &str = "^[a-z]{2,}(-[a-z]+)+-[0-9]+$";
const ACCOUNT_ID: &str = "^[0-9]{12}$";
const TAGS: &str = "Tags for everything that can carry them, such as `{ Project = \"x\" }`.";
const ACCOUNT: &str = "The twelve digits of an account, as a text. In any other nothing is planned or applied.";

fn fields<const N: usize>(list: [(&str, Shape, &str); N]) -> Fields {
    list.into_iter().map(|(name, shape, doc)| (name.to_owned(), documented(shape, doc))).collect()
}

fn documented(shape: Shape, doc: &str) -> Property {
    Property { doc: doc.to_owned(), ..Property::new(shape) }
}

fn require(fields: &mut Fields, name: &str) {
    if let Some(property) = fields.get_mut(name) {
        property.required = true;
    }
}

/// A text, perhaps of a pattern.
fn text(pattern: Option<&str>) -> Shape {
    Shape::String(StringRules { pattern: pattern.map(str::to_owned), ..StringRules::default() })
}

/// true or false.
fn flag() -> Shape {
    Shape::Bool
}

/// A text or a list of texts.
fn one_or_many() -> Shape {
    let items = Items { item: Box::new(Property::new(text(None))), min: None, max: None };
    Shape::Choice(vec![text(None), Shape::List(items)])
}

/// A table with keys of the user's choice.
fn map_of(shape: Shape) -> Shape {
    Shape::Map { value: Box::new(Property::new(shape)), key_pattern: None, reserved: Vec::new(), max: None }
}

fn tags() -> Shape {
    // The bounds are those of every resource's tags, which these are added to: see `schema::shapes::Tags`.
    let (key_pattern, reserved) = (Some("^.{1,128}$".into()), vec!["aws:".into(), "s3stack:".into()]);
    Shape::Map { value: Box::new(Property::new(text(None))), key_pattern, reserved, max: Some(48) }
}

/// Any text but the empty one.
fn some_text() -> Shape {
    Shape::String(StringRules { min: Some(1), ..StringRules::default() })
}

/// The name is part of others, and with the environment's the value of a tag.
fn stack_name() -> Shape {
    Shape::String(StringRules { pattern: Some("^[a-z][a-z0-9-]*$".into()), max: Some(64), ..StringRules::default() })
}

fn any_number() -> Shape {
    Shape::Number { integer: false, min: None, max: None }
}
